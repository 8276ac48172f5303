"""Rows of JSON: written one a line, read back although a writer may have been killed in between."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
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
MOST_LOG = 2**32
"""So is a log."""
MOST_STRANGE = 10_000
"""Lines of a log that hold no row, before it is none of ours."""
MOST_DEPTH = 64
"""How deeply values of a JSON file are nested, at most."""
LARGEST = 2**63
"""Whole numbers are smaller."""


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


def open_file(path: Path) -> BinaryIO:
    """Opens a file to read. Raises OSError, too if it is none: a pipe would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file")
    return os.fdopen(descriptor, "rb")


def read_file(path: Path, most: int) -> bytes:
    """Reads a file. Raises RunError naming it if it cannot be read, or has more than `most` bytes:
    it is not read then.
    """
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise RunError(f"{path} has {size:,} bytes; at most are {most:,}")
            return file.read(size)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Reads one JSON object. Raises RunError naming the file if it is not one."""
    return parse_json(read_file(path, MOST_BYTES), path)


def parse_json(content: bytes, path: Path) -> dict[str, Any]:
    """Parses one JSON object. Raises RunError naming the file it came from, too if it holds what
    dnnlab does not write: numbers that are not finite or beyond 64 bits, values nested without end.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} holds no JSON object")
    if not _is_ours(value):
        raise RunError(f"{path} holds numbers, or values so deeply nested, as dnnlab writes none")
    return value


def _is_ours(value: Any, depth: int = 0) -> bool:
    """Whether a JSON value is such as `to_json` writes."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < LARGEST
    if isinstance(value, str) or value is None:
        return True
    parts = value.values() if isinstance(value, dict) else value
    return depth < MOST_DEPTH and all(_is_ours(part, depth + 1) for part in parts)


def scan_rows(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """Returns the rows of a log, and the numbers of the lines, from 1, that hold none.

    A line torn by a kill at the end is no line yet. A row has a step, for dnnlab writes none
    without. Raises RunError if the log cannot be read, or is none.
    """
    rows: list[dict[str, Any]] = []
    bad: list[int] = []
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_LOG:
                raise RunError(f"{path} has {size:,} bytes; at most are {MOST_LOG:,}")
            for number, line in enumerate(_lines(file), start=1):
                if (row := _row(line)) is not None:
                    rows.append(row)
                elif len(bad) < MOST_STRANGE:
                    bad.append(number)
                else:
                    raise RunError(
                        f"{path} is no log: {MOST_STRANGE:,} of its lines hold no row",
                        remedy="move it elsewhere: the run goes on without it",
                    )
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    return rows, bad


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yields whole lines; of one that is too long, nothing."""
    while line := file.readline(MOST_LINE):
        first = line
        while len(line) == MOST_LINE and not line.endswith(b"\n"):
            line = file.readline(MOST_LINE)
        if not line.endswith(b"\n"):
            return  # torn, or being written
        yield line if line is first else b""


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or not _is_ours(row) or not _is_count(row.get("step")):
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
