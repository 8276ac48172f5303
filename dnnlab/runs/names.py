"""What a run may be called, and which run a word means."""

from __future__ import annotations

import json
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

from dnnlab.errors import ConfigError, RunError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
LAST = "@last"
RUN, STUDY = "run.json", "study.json"
"""The file that makes a folder a run, or a study of several runs."""
MOST_BYTES = 100_000
"""Of run.json or study.json that are read to learn when a run was created."""


def check_name(name: str, runs: Path | None = None) -> str:
    """Returns the name. Raises ConfigError with the rule if it is none, RunError if it is taken in
    the folder `runs`.
    """
    if not _is_name(name):
        raise ConfigError(
            "--name",
            message=f"--name {_short(name)!r}: a run's name has 1 to 100 letters, digits, '.', '_' "
            "or '-', begins with a letter or digit, and is no device name of Windows",
        )
    if runs is not None and os.path.lexists(runs / name):
        raise taken(name, runs)
    return name


def _is_name(word: str) -> bool:
    return bool(NAME.fullmatch(word)) and not RESERVED.fullmatch(word) and not word.endswith(".")


def _short(word: str) -> str:
    return word if len(word) <= 40 else f"{word[:40]}..."


def taken(name: str, runs: Path) -> RunError:
    """Returns the refusal of a name that another run has."""
    return RunError(
        f"there is a run '{name}' in {runs} already",
        remedy=f"dnnlab resume {name}, or give another --name",
    )


def as_name(text: str) -> str:
    """Returns a text as part of a run's name, other characters replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:60] or "run"


def run_folders(runs: Path, marks: tuple[str, ...] = (RUN,)) -> list[Path]:
    """Returns the runs, or studies, in a folder, the oldest first; a link to one elsewhere is none
    of them.

    Whatever cannot be looked into, or goes away meanwhile, is passed over. Raises RunError if the
    folder itself cannot be read.
    """
    try:
        paths = [runs / name for name in os.listdir(runs)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"{runs} cannot be read: {error.strerror}") from error
    dated = [(created, path) for path in paths if (created := _created(path, marks)) is not None]
    return [path for _, path in sorted(dated) if _leads_to(path, runs) is None]


def _created(path: Path, marks: tuple[str, ...] = (RUN,)) -> tuple[float, int, str] | None:
    """Returns by what a run is ordered: when it was made as it says itself, else by its file.

    None if this has none of the files that mark a run.
    """
    return next((found for mark in marks if (found := _dated(path, mark)) is not None), None)


def _dated(path: Path, mark: str) -> tuple[float, int, str] | None:
    try:
        with open(path / mark, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            about = file.read(MOST_BYTES)
    except (OSError, ValueError):
        return None
    try:
        stamp = datetime.fromisoformat(json.loads(about)["created"])
        seconds = stamp.replace(tzinfo=stamp.tzinfo or UTC).timestamp()
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        seconds = status.st_mtime
    return seconds, status.st_mtime_ns, path.name


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _leads_to(path: Path, runs: Path) -> Path | None:
    """Returns where an entry of the runs folder leads, if that is out of the folder."""
    real = Path(os.path.realpath(path))
    return None if real.is_relative_to(os.path.realpath(runs)) else real


def unfinished_study(runs: Path) -> Path | None:
    """Returns the newest study that has no result yet. The source that it trains first is newer
    than the study itself.
    """
    known = reversed(run_folders(runs, (STUDY,)))
    return next((path for path in known if not (path / "result.json").exists()), None)


def find(word: str, runs: Path, marks: tuple[str, ...] = (RUN,)) -> Path:
    """Returns the run that a folder, a name, a unique prefix or @last means. Raises RunError.

    A study is meant only where `marks` has its file too. A folder may lie anywhere. A name, or an
    entry of `runs`, never leads out of it.
    """
    if word == LAST:
        if known := run_folders(runs, marks):
            return known[-1]
        raise RunError(f"there is no run in {runs}", remedy="dnnlab train configs/digits.yaml")
    folders = [Path(word)] if word else []
    if _is_name(word):
        folders.append(runs / word)
    for folder in folders:
        if _created(folder, marks) is not None:
            _refuse_leading_out(folder, runs)
            return folder
        if _created(folder, (STUDY,)) is not None:
            raise RunError(
                f"{folder} is a study of several runs",
                remedy=f"name one of them: dnnlab runs --runs {folder / 'runs'}",
            )
    known = run_folders(runs, marks)
    matching = [path for path in known if word == path.name]
    matching = matching or [path for path in known if word and path.name.startswith(word)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = ", ".join(path.name for path in matching[:5])
        raise RunError(f"'{word}' begins the names of {len(matching)} runs: {names}")
    latest = ", ".join(path.name for path in known[-3:]) or "none"
    raise RunError(
        f"there is no run {_short(word)!r} in {runs}; the latest are {latest}",
        remedy="dnnlab runs",
    )


def _refuse_leading_out(folder: Path, runs: Path) -> None:
    """Raises RunError for a link that lies in the runs folder and leads to one elsewhere."""
    inside = os.path.realpath(folder.parent) == os.path.realpath(runs)
    if inside and (elsewhere := _leads_to(folder, runs)) is not None:
        raise RunError(
            f"{folder} leads out of {runs}, to {elsewhere}",
            remedy=f"name that folder if you trust it: {elsewhere}",
        )
