from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnnlab.cli.signals import Stop, Stopped, ignore_interrupt, stop_at_interrupt, stoppable


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143), (signal.SIGHUP, 143)],
)
def test_the_first_signal_asks_to_stop(
    number: signal.Signals, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with stoppable() as stop:
        stop.watch()
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.exit_code == code
    assert signal.getsignal(number) == before
    said = "finishing this update and saving; once more stops at once\n"
    assert capfd.readouterr().err == said


def test_nothing_asked_is_nothing_stopped() -> None:
    assert not Stop()()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_what_was_ignored_stays_so(number: signal.Signals) -> None:
    """As nohup starts a program, and a shell one in the background."""
    signal.signal(number, signal.SIG_IGN)
    stop_at_interrupt()
    with stoppable() as stop:
        stop.watch()
        os.kill(os.getpid(), number)
        assert not stop()
    assert signal.getsignal(number) is signal.SIG_IGN


def test_where_nothing_has_to_be_saved_ctrl_c_ends_the_command() -> None:
    stop_at_interrupt()
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL  # whoever cannot wait for the end


def test_at_the_end_ctrl_c_changes_nothing() -> None:
    ignore_interrupt()
    os.kill(os.getpid(), signal.SIGINT)


def ended(program: str, *, shell: str = "exec") -> subprocess.CompletedProcess[str]:
    """Runs a program that sends itself signals."""
    begin = "import os, signal\nfrom dnnlab.cli.signals import stoppable\nme = os.getpid()\n"
    words = [sys.executable, "-c", begin + textwrap.dedent(program)]
    return subprocess.run(
        ["sh", "-c", f'{shell} "$@"', "sh", *words], capture_output=True, text=True, check=False
    )


def test_an_import_that_swallows_what_is_raised_in_it_cannot_swallow_ctrl_c(tmp_path: Path) -> None:
    kill = "    import os, signal; os.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / "swallowing.py").write_text(f"try:\n{kill}\nexcept BaseException:\n    pass\n")
    done = ended(
        f"""
        import sys
        from dnnlab.cli.signals import stop_at_interrupt
        sys.path.insert(0, {str(tmp_path)!r})
        stop_at_interrupt("nothing was written")
        import swallowing
        print("still here")
        """
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "stopped; nothing was written\n"


def test_on_a_terminal_the_words_get_a_line_of_their_own(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "isatty", lambda number: number == 2)
    with stoppable() as stop:
        stop.watch()
        os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr(os, "_exit", lambda code: None)
        os.kill(os.getpid(), signal.SIGINT)
    first, second, _ = capfd.readouterr().err.split("once more stops at once\n")
    assert first.startswith("\nfinishing")
    assert second.startswith("\x1b[?25h\nstopped at once.")  # a progress bar hides the cursor


def test_the_second_signal_ends_the_process_and_says_how_to_go_on() -> None:
    done = ended("""
        with stoppable() as stop:
            stop.watch()
            stop.if_at_once = lambda: "resume: dnnlab resume x\\x1b[2J"
            os.kill(me, signal.SIGTERM)
            os.kill(me, signal.SIGINT)
            print("still here")
    """)
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr.endswith("\nstopped at once. resume: dnnlab resume x\\x1b[2J\n")


def test_a_signal_needs_nobody_who_reads_about_it() -> None:
    done = ended(
        """
        with stoppable() as stop:
            stop.watch()
            os.close(2)
            os.kill(me, signal.SIGHUP)
            print(stop(), flush=True)
            os.kill(me, signal.SIGHUP)
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "True\n", "")


def test_nohup(tmp_path: Path) -> None:
    done = ended(
        """
        with stoppable() as stop:
            stop.watch()
            os.kill(me, signal.SIGHUP)
            os.kill(me, signal.SIGHUP)
            print(stop())
        """,
        shell="nohup",
    )
    assert (done.returncode, done.stdout) == (0, "False\n")
