"""Ctrl-C and its like: the first asks the training to save and stop, the second stops at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

WATCHED = ("SIGINT", "SIGTERM", "SIGUSR1")


@dataclass
class Stop:
    """Whether somebody asked to stop. The handler only sets this: a save is never cut in two."""

    signal: int | None = None
    if_at_once: str = ""
    """What to say when the second signal ends the process."""

    def __call__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for the rest, as shells have it."""
        return 130 if self.signal == signal.SIGINT else 143


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Watches for signals while a training runs."""
    stop = Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.signal is not None:
            os.write(sys.stderr.fileno(), f"\nstopped at once. {stop.if_at_once}\n".encode())
            os._exit(130 if number == signal.SIGINT else 143)
        stop.signal = number
        message = "\nfinishing this update and saving; once more stops at once\n"
        os.write(sys.stderr.fileno(), message.encode())

    numbers = [getattr(signal, name) for name in WATCHED if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
