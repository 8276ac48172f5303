"""Ctrl-C and its like: the first asks the training to save and stop, the second stops at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from dnnlab.report.text import printable

WATCHED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""Ctrl-C, the system's wish, a terminal that was closed, a cluster's warning."""


class Stopped(BaseException):
    """Ctrl-C where there is nothing to save; with the line to say. No KeyboardInterrupt: that has
    other ways through the library of commands.
    """


def stop_at_interrupt(what_is_left: str = "") -> None:
    """Makes Ctrl-C raise Stopped, for wherever there is nothing to save. A second one kills.

    Amid an import it ends the process itself: some swallow what is raised in them, that of torch
    may crash of it, and none has anything to tidy up.
    """
    line = f"stopped; {what_is_left}" if what_is_left else "stopped"

    def handle(number: int, frame: FrameType | None) -> None:
        if _amid_import(frame):
            _say(line)
            os._exit(130)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        raise Stopped(line)

    if not _ignored(signal.SIGINT):
        signal.signal(signal.SIGINT, handle)


def _amid_import(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def ignore_interrupt() -> None:
    """Lets the process come to its end: what is left to do takes a moment."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@dataclass
class Stop:
    """Whether somebody asked to stop. The handler only sets this: a save is never cut in two."""

    signal: int | None = None
    if_at_once: Callable[[], str] = lambda: ""
    """Returns what to say when the second signal ends the process."""
    _before: dict[int, Callable[[int, FrameType | None], object] | int] = field(
        default_factory=dict
    )

    def __call__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for the rest, as shells have it."""
        return 130 if self.signal == signal.SIGINT else 143

    def watch(self) -> None:
        """From now on signals are requests. Those that were ignored, as nohup does, stay so."""
        for number in (getattr(signal, name) for name in WATCHED if hasattr(signal, name)):
            if not _ignored(number):
                before = signal.signal(number, self._handle)
                self._before[number] = signal.SIG_DFL if before is None else before

    def unwatch(self) -> None:
        """Leaves signals to whoever had them before."""
        while self._before:
            signal.signal(*self._before.popitem())

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            _say(f"stopped at once. {self.if_at_once()}".rstrip(), show_cursor=True)
            os._exit(130 if number == signal.SIGINT else 143)
        self.signal = number
        _say("finishing this update and saving; once more stops at once")


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Lends a Stop whose `watch` holds until the end of the block."""
    stop = Stop()
    try:
        yield stop
    finally:
        stop.unwatch()


def _ignored(number: int) -> bool:
    return signal.getsignal(number) is signal.SIG_IGN


def _say(text: str, *, show_cursor: bool = False) -> None:
    """Writes a line past all buffers, which the interrupted code may be in the midst of."""
    line = f"{printable(text)}\n"
    if os.isatty(2):  # where ^C stands now, and maybe a progress bar, which hides the cursor
        line = f"\x1b[?25h\n{line}" if show_cursor else f"\n{line}"
    with suppress(OSError):  # nobody reads
        os.write(2, line.encode(errors="replace"))
