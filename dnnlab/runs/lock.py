"""Who writes a run: one process at a time, known by pid, host and time."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab import disk
from dnnlab.errors import RunError
from dnnlab.runs.records import read_json, to_json

if TYPE_CHECKING:
    import filelock

LOCK = "lock"


def take(run: Path) -> filelock.BaseFileLock:
    """Takes a run's lock and writes into it who has it. Raises RunError naming who has it already,
    OSError if it cannot be opened.
    """
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": platform.node(), "since": since}
    try:
        return disk.lock(run / LOCK, to_json(holder))
    except BlockingIOError:
        raise RunError(
            f"{run} is in use{_by_whom(run)}", remedy="wait for that process, or stop it"
        ) from None


def is_taken(run: Path) -> bool:
    """Whether a living process of this machine writes the run. Looking disturbs nobody."""
    return disk.is_locked(run / LOCK)


def _by_whom(run: Path) -> str:
    try:
        holder = read_json(run / LOCK)
    except RunError:
        return ""
    return f" by pid {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
