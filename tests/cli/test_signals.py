from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from dnnlab.cli.signals import Stop, stoppable


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)]
)
def test_the_first_signal_asks_to_stop(
    number: signal.Signals, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    with stoppable() as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        assert stop()
        assert stop.exit_code == code
    assert signal.getsignal(number) == before
    assert "finishing this update and saving" in capfd.readouterr().err


def test_nothing_asked_is_nothing_stopped() -> None:
    assert not Stop()()


def test_the_second_signal_ends_the_process_and_says_how_to_go_on() -> None:
    program = (
        "import os, signal\n"
        "from dnnlab.cli.signals import stoppable\n"
        "with stoppable() as stop:\n"
        "    stop.if_at_once = 'resume: dnnlab resume x'\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stdout == ""
    assert done.stderr.endswith("stopped at once. resume: dnnlab resume x\n")
