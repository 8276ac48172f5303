from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dnnlab.cli.streams import Outliving, lost_output, outlive_readers


def test_what_is_read_arrives_whole() -> None:
    reading, writing = os.pipe()
    text = io.TextIOWrapper(io.BufferedWriter(Outliving(writing)), encoding="utf-8")
    text.write("ä" * 10_000)
    text.flush()
    assert os.read(reading, 30_000) == ("ä" * 10_000).encode()
    os.close(reading)
    os.close(writing)


def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    """Whoever else has the pipe may have made it so; a megabyte is more than one holds."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    got = bytearray()

    def read() -> None:
        while part := os.read(reading, 65536):
            got.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    raw = Outliving(writing)
    assert raw.write(b"x" * 1_000_000) == 1_000_000
    os.close(writing)
    reader.join()
    os.close(reading)
    assert len(got) == 1_000_000
    assert raw.failure is None


def test_without_a_reader_everything_is_dropped() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    raw = Outliving(writing)
    assert raw.write(b"lost") == 4
    assert raw.failure is None
    os.close(writing)
    reused = os.open(os.devnull, os.O_WRONLY)  # has the pipe's number: nothing goes there
    assert raw.write(b"lost") == 4
    os.close(reused)


def test_a_terminal_that_was_closed_is_no_failure() -> None:
    controller, terminal = pty.openpty()
    raw = Outliving(terminal)
    assert raw.isatty()
    os.close(controller)
    assert raw.write(b"lost") == 4
    assert raw.failure is None
    os.close(terminal)


def test_a_full_disk_is_a_failure() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    raw = Outliving(full)
    assert raw.write(b"lost") == 4
    assert raw.failure is not None
    assert raw.failure.errno == errno.ENOSPC
    os.close(full)


def test_streams_that_a_caller_put_there_stay(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    outlive_readers()
    assert (sys.stdout, sys.stderr) == before
    assert lost_output() is None


PROGRAM = """
import os, subprocess, sys
from dnnlab.cli.streams import lost_output, outlive_readers
outlive_readers()
outlive_readers()
new = os.open(os.devnull, os.O_RDONLY)
print("ä" * (sys.stdout.encoding == "utf-8"))
lost = lost_output()
with open("kept", "w") as file:
    print(new > 2, sys.stdout.fileno(), sys.stderr.fileno(), lost and lost.strerror, file=file)
    child = subprocess.run([sys.executable, "-c", "import os; [os.fstat(n) for n in range(3)]"])
    print(child.returncode, file=file)
print("the end")
"""


@pytest.mark.parametrize(
    ("redirection", "lost", "said"),
    [
        ("", "None", "ä\nthe end\n"),
        (">&-", "None", ""),
        ("<&- >&- 2>&-", "None", ""),
        (">/dev/full 2>/dev/null", "No space left on device", ""),
        ("| true", "None", ""),
    ],
)
def test_the_interpreters_own_streams(
    redirection: str, lost: str, said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert (done.stdout, done.stderr) == (said, "")
    assert (tmp_path / "kept").read_text() == f"True 1 2 {lost}\n0\n"
