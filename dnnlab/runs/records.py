"""Rows of JSON: written one a line, read back although a writer may have been killed in between."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnlab.errors import RunError

if TYPE_CHECKING:  # reading runs needs no torch
    from dnnlab.training.loop import Record

VERSION = 1
"""Of the shape of a row."""


def row_of(record: Record, *, segment: int, seconds: float) -> dict[str, Any]:
    """Returns a record as it is written. `seconds` counts from the start of the run."""
    return {
        "v": VERSION,
        "segment": segment,
        "step": record.step,
        "epoch": record.epoch,
        "split": record.split,
        **record.values,
        "seconds": round(seconds, 3),
    }


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Writes JSON that every reader accepts: nan and the infinities become null."""
    return json.dumps(_finite(value), allow_nan=False, ensure_ascii=False, indent=indent)


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
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
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


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads every whole line; one torn by a kill, at the end or amid, is passed over. So is a row
    without a step: dnnlab writes none.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows


def effective(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows that count: what was measured after the checkpoint that a later segment
    began from was measured again there, and the later row stands.
    """
    begins: dict[int, int] = {}
    for row in rows:
        begins.setdefault(row.get("segment", 0), row.get("step", 0))
    return [
        row
        for row in rows
        if all(
            row.get("step", 0) < first
            for segment, first in begins.items()
            if segment > row.get("segment", 0)
        )
    ]
