"""What a run may be called, and which run a word means."""

from __future__ import annotations

import re
from pathlib import Path

from dnnlab.errors import ConfigError, RunError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")
LAST = "@last"


def check_name(name: str, runs: Path | None = None) -> str:
    """Returns the name. Raises ConfigError with the rule if it is none, RunError if it is taken in
    the folder `runs`.
    """
    if not NAME.fullmatch(name) or RESERVED.fullmatch(name) or name.endswith("."):
        shown = name if len(name) <= 40 else f"{name[:40]}..."
        raise ConfigError(
            "--name",
            message=f"--name {shown!r}: a run's name has 1 to 100 letters, digits, '.', '_' or "
            "'-', begins with a letter or digit, and is no device name of Windows",
        )
    if runs is not None and (runs / name).exists():
        raise taken(name, runs)
    return name


def taken(name: str, runs: Path) -> RunError:
    """Returns the refusal of a name that another run has."""
    return RunError(
        f"there is a run '{name}' in {runs} already",
        remedy=f"dnnlab resume {name}, or give another --name",
    )


def as_name(text: str) -> str:
    """Returns a text as part of a run's name, other characters replaced."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:60] or "run"


def run_folders(runs: Path) -> list[Path]:
    """Returns the runs in a folder, the oldest first."""
    if not runs.is_dir():
        return []
    found = [path for path in runs.iterdir() if (path / "run.json").is_file()]
    return sorted(found, key=lambda path: ((path / "run.json").stat().st_mtime_ns, path.name))


def find(word: str, runs: Path) -> Path:
    """Returns the run that a folder, a name, a unique prefix or @last means. Raises RunError."""
    known = run_folders(runs)
    if word == LAST:
        if not known:
            raise RunError(f"there is no run in {runs}", remedy="dnnlab train configs/digits.yaml")
        return known[-1]
    for folder in (Path(word), runs / word):
        if (folder / "run.json").is_file():
            return folder
    matching = [path for path in known if path.name.startswith(word)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = ", ".join(path.name for path in matching[:5])
        raise RunError(f"'{word}' begins the names of {len(matching)} runs: {names}")
    latest = ", ".join(path.name for path in known[-3:]) or "none"
    raise RunError(
        f"there is no run '{word}' in {runs}; the latest are {latest}", remedy="dnnlab runs"
    )
