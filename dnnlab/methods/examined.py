"""Data are examined on their first use: what was found is kept beside the downloads.

It is a convenience and no more: what cannot be read or written is examined anew.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from dnnlab import disk
from dnnlab.choices.datasets.downloads import data_home
from dnnlab.training.examination import VERSION, Subject, examine

LARGEST = 2**20
"""Bytes of a file that is read: what was found takes a few hundred."""


def examine_once(subject: Subject) -> tuple[str, ...]:
    """Returns what is worth telling of the data, as found now or at their first use."""
    try:
        path = data_home() / "examined" / f"{subject.key()}.json"
    except RuntimeError:  # nobody knows where this user's home is
        return examine(subject)
    kept = _kept(path)
    if kept is not None:
        return kept
    found = examine(subject)
    content = json.dumps({"version": VERSION, "findings": found}).encode()
    with suppress(OSError):
        disk.make_folders(path.parent)
        disk.replace(path, content)
    return found


def _kept(path: Path) -> tuple[str, ...] | None:
    """Returns what a file says was found; None if it is missing, or not as it is written above."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
        content = json.loads(raw) if len(raw) <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return None
    match content:
        case {"version": int(version), "findings": list(findings)} if version == VERSION:
            if all(isinstance(each, str) and each.isprintable() for each in findings):
                return tuple(findings)
    return None
