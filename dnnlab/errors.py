"""Everything dnnlab can refuse, as one tree. Libraries raise these; the command line renders them.

    DnnlabError
    ├── ConfigError     exit 2   a file or an option says something that cannot be
    ├── DataError       exit 3   the data are missing or not what was described
    ├── RunError        exit 4   a run folder or a checkpoint cannot be used
    ├── DivergedError   exit 5   a loss, a gradient or a weight stopped being finite
    └── MachineError    exit 6   disk, memory or device

An invariant of our own that breaks is an `AssertionError`: exit 1, our bug.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a setting, and where it stands.

    `place` is what the user can go to: "7:9" (line and column), "base.yaml 3:5", or
    "--set optimizer.lr". It is empty where there is nothing to point at.
    """

    place: str
    message: str
    order: tuple[int, int, int] = (0, 0, 0)
    """Sorting key: file (0 is the user's own), line, column."""


class DnnlabError(Exception):
    """A refusal that the user can act on: one sentence, and what to do about it."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class ConfigError(DnnlabError):
    """A config, or an option that changes one, is refused: every problem at once."""

    exit_code = 2

    def __init__(
        self, subject: str, problems: Iterable[Problem] = (), *, remedy: str = "", message: str = ""
    ) -> None:
        self.subject = subject
        self.problems = tuple(sorted(problems, key=lambda problem: problem.order))
        count = len(self.problems)
        plural = "problem" if count == 1 else "problems"
        super().__init__(message or f"{count} {plural} in {subject}", remedy=remedy)


class DataError(DnnlabError):
    """The data cannot be found, read or used as described."""

    exit_code = 3


class RunError(DnnlabError):
    """A run folder or a checkpoint is missing, in use, damaged or of another kind."""

    exit_code = 4


class DivergedError(DnnlabError):
    """A loss, a gradient or a weight is no longer a finite number."""

    exit_code = 5


class MachineError(DnnlabError):
    """The disk, the memory or the device cannot do what was asked."""

    exit_code = 6
