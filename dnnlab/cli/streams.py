"""Standard output and error that outlive whoever reads them: `| head` must not end a training."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

NOBODY_READS = {errno.EPIPE, errno.ECONNRESET, errno.EIO}
"""What the system says of a pipe without a reader, or of a terminal that was closed (EIO)."""


class Outliving(io.RawIOBase):
    """Writes to a descriptor. Once that fails nothing more is written, and nothing is raised."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.failure: OSError | None = None
        """Why output was lost; None while nobody who wants it has missed any."""
        self._open = True

    def fileno(self) -> int:
        """Returns the descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person looks at it."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Says yes."""
        return True

    def write(self, content: ReadableBuffer, /) -> int:
        """Writes all of it, or drops it."""
        whole = rest = memoryview(content)
        while rest and self._open:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody else made the pipe non-blocking
                select.select([], [self._descriptor], [])
            except OSError as error:
                self._open = False
                self.failure = None if error.errno in NOBODY_READS else error
        return len(whole)


def outlive_readers() -> None:
    """Replaces the interpreter's stdout and stderr; those that a caller put there stay.

    A descriptor that came closed leads to /dev/null from now on: the next file to be opened would
    get its number, and with it whatever a library prints.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stdout is sys.__stdout__:
        sys.stdout = _outliving(sys.stdout, 1)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _outliving(sys.stderr, 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a curve is no reason to fail in ASCII


def _outliving(stream: TextIO | None, descriptor: int) -> TextIO:
    encoding = stream.encoding if stream else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(Outliving(descriptor)),
        encoding=encoding,
        newline="\n",
        line_buffering=descriptor == 2 or os.isatty(descriptor),
    )


def lost_output() -> OSError | None:
    """Flushes stdout. Returns why a part of it could not be written though somebody wanted it."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, Outliving) else None
