"""What a run keeps of its data: enough to prepare new inputs like those it was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnnlab.choices.datasets import Signature
from dnnlab.errors import RunError
from dnnlab.experiment import Experiment
from dnnlab.runs.records import read_json
from dnnlab.training.data import Scaling

MOST_FEATURES = 2**31
"""Numbers of one input."""


@dataclass(frozen=True)
class SavedData:
    """What data.json tells."""

    signature: Signature
    scaling: Scaling
    class_names: tuple[str, ...]
    columns: tuple[dict[str, object], ...]
    fingerprint: str


def read_data(path: Path, experiment: Experiment) -> SavedData:
    """Reads what new inputs need to be prepared like those trained on. Raises RunError."""
    saved = read_json(path)
    try:
        shape, task = tuple(saved["input_shape"]), experiment.data.task_of_data
        if task != saved["task"]:
            raise ValueError(f"task {saved['task']!r}")
        if not all(type(size) is int and size > 0 for size in shape):
            raise ValueError(f"input_shape {shape}")
        if math.prod(shape) > MOST_FEATURES:
            raise ValueError(f"input_shape {shape} is too large")
        names, columns = _texts(saved["class_names"]), saved["columns"]
        if (len(names) < 2) is (task == "classification"):
            raise ValueError(f"{len(names)} class_names")
        if columns and sum(map(_width, columns)) != shape[0]:
            raise ValueError("columns of another number of inputs")
        for key in ("shift", "scale", "fill"):
            _check_statistic(saved["scaling"], key, shape)
        for key in ("target_shift", "target_scale"):
            _check_statistic(saved["scaling"], key, ())
        fingerprint = saved["fingerprint"]
        if not isinstance(fingerprint, str):
            raise ValueError("fingerprint")
        return SavedData(
            signature=Signature(shape, len(names) or 1, task),
            scaling=Scaling.from_json(saved["scaling"]),
            class_names=names,
            columns=tuple(columns),
            fingerprint=fingerprint,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} is not as dnnlab wrote it: {error!r}") from error


def _texts(values: Any) -> tuple[str, ...]:
    """Returns a list of texts. Raises ValueError if it is none, or they cannot be written."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("no list of texts")
    for value in values:
        value.encode("utf-8", "surrogateescape")  # as names of files may be
    return tuple(values)


def _width(column: Any) -> int:
    """Returns how many inputs a column of a table becomes. Raises ValueError if it is none."""
    match column:
        case {"name": str(), "kind": "numeric"}:
            return 1
        case {"name": str(), "kind": "categorical", "categories": categories}:
            return len(_texts(categories))
    raise ValueError(f"column {column!r}")


def _check_statistic(scaling: dict[str, Any], key: str, shape: tuple[int, ...]) -> None:
    """Raises ValueError if a statistic is not one of inputs of this shape."""
    if key == "fill" and scaling[key] is None:
        return
    value = np.asarray(scaling[key])
    if value.dtype.kind not in "if" or not np.isfinite(value).all():
        raise ValueError(f"scaling.{key} is no number")
    if "scale" in key and not value.all():
        raise ValueError(f"scaling.{key} is 0")
    if np.broadcast_shapes(value.shape, shape) != shape:
        raise ValueError(f"scaling.{key} is of another shape")
