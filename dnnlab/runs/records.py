"""Rows of JSON: written one a line, read back although a writer may have been killed in between."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dnnlab.errors import RunError

if TYPE_CHECKING:  # reading runs needs no torch
    from dnnlab.training.loop import Record

VERSION = 1
"""Of the shape of a row."""
MOST_BYTES = 64 * 2**20
"""A JSON file of a run is smaller."""
MOST_LINE = 2**20
"""So is a row."""


def row_of(record: Record, *, segment: int, seconds: float) -> dict[str, Any]:
    """Returns a record as it is written. `seconds` counts from the start of the run.

    What is no finite number is null in JSON; `not_finite` keeps the word: nan, inf or -inf.
    """
    words = {name: str(value) for name, value in record.values.items() if not math.isfinite(value)}
    return {
        "v": VERSION,
        "segment": segment,
        "step": record.step,
        "epoch": record.epoch,
        "split": record.split,
        **record.values,
        **({"not_finite": words} if words else {}),
        "seconds": round(seconds, 3),
    }


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Writes JSON that every reader accepts: nan and the infinities become null."""
    return json.dumps(_finite(value), allow_nan=False, ensure_ascii=False, indent=indent)


def json_bytes(value: Any, *, indent: int | None = 1) -> bytes:
    """Returns the same as a file holds it. Half a character, as names of files may have, stays an
    escape.
    """
    return to_json(value, indent=indent).encode("utf-8", "backslashreplace")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def read_json(path: Path) -> dict[str, Any]:
    """Reads one JSON object. Raises RunError naming the file if it is not one."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise RunError(f"{path} has more than {MOST_BYTES} bytes: dnnlab has not written it")
    return parse_json(content, path)


def parse_json(content: bytes, path: Path) -> dict[str, Any]:
    """Parses one JSON object. Raises RunError naming the file it came from."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} holds no JSON object")
    return value


def scan_rows(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Returns the rows of a log, and the numbers of the lines, from 1, that hold none.

    A line torn by a kill at the end is no line yet. A row has a step, for dnnlab writes none
    without. Raises OSError if the file is there and cannot be read.
    """
    rows: list[dict[str, Any]] = []
    bad: list[int] = []
    if not path.exists():
        return rows, bad
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file), start=1):
            row = _row(line)
            if row is None:
                bad.append(number)
            else:
                rows.append(row)
    return rows, bad


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yields whole lines; of one that is too long, nothing."""
    while line := file.readline(MOST_LINE):
        too_long = False
        while not line.endswith(b"\n"):
            too_long = True
            line = file.readline(MOST_LINE)
            if not line:
                return
        yield b"" if too_long else line


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not _is_count(row.get("step")):
        return None
    return row if _is_count(row.get("segment", 0)) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads every row of a log, passing over lines that hold none; nothing where it is missing."""
    return scan_rows(path)[0]


BEGINNINGS = ("started", "resumed", "rolled_back")
"""Events that begin a segment of the rows."""


def measurements(run: Path) -> list[dict[str, Any]]:
    """Returns the rows of a run that count: what was measured after the step that a later segment
    began from was measured again in it, and the later row stands.
    """
    rows = read_rows(run / "metrics.jsonl")
    return effective(rows, beginnings(read_rows(run / "events.jsonl"), rows))


def beginnings(events: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[int, int]:
    """Returns the step that each segment began from, by its number. Where the event that says so is
    lost, the segment's first row tells what it began before.
    """
    found = {
        event.get("segment", 0): event["step"]
        for event in events
        if event.get("event") in BEGINNINGS
    }
    for row in rows:
        found.setdefault(row.get("segment", 0), row["step"] - 1)
    return found


def effective(rows: list[dict[str, Any]], begins: dict[int, int]) -> list[dict[str, Any]]:
    """Returns the rows that no later segment superseded, in the order of their segments.

    `begins` is the step that each segment began from, by its number.
    """
    last: dict[int, int] = {}
    """By segment: the last step whose rows still count."""
    limit: int | None = None
    for segment in sorted(begins, reverse=True):
        if limit is not None:
            last[segment] = limit
        limit = begins[segment] if limit is None else min(limit, begins[segment])
    return [row for row in rows if row["step"] <= last.get(row.get("segment", 0), row["step"])]
