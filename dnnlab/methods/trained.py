"""A trained net out of a run folder, ready to be asked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dnnlab.choices.datasets import Signature
from dnnlab.config.read import Config, read
from dnnlab.contradictions import conflicts_with_shape
from dnnlab.errors import ConfigError, MachineError, RunError
from dnnlab.experiment import Experiment
from dnnlab.methods.changes import as_begun, changes, recorded
from dnnlab.methods.resume import Terms, damage, refuse_changes
from dnnlab.methods.train import kept_network
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import check_run
from dnnlab.runs.records import read_json
from dnnlab.training.data import Scaling
from dnnlab.training.machine import memory_of, pick_device, pick_threads, settle
from dnnlab.training.precision import weights_dtype
from dnnlab.training.state import State

STEP = re.compile(r"[0-9]{1,18}")
MOST_FEATURES = 2**31
"""Numbers of one input."""


@dataclass(frozen=True)
class Trained:
    """A net with its trained weights, and how inputs are prepared for it."""

    path: Path
    experiment: Experiment
    state: State
    step: int
    """The update after which the weights were as they are here."""
    signature: Signature
    scaling: Scaling
    class_names: tuple[str, ...]
    columns: tuple[dict[str, object], ...]
    fingerprint: str
    notes: tuple[str, ...]
    """What a person should know of how it was loaded."""

    @property
    def device(self) -> torch.device:
        """Where the net lies."""
        return self.state.weights.device

    @property
    def dtype(self) -> torch.dtype:
        """The type of the net's weights."""
        return self.state.weights.dtype


def load_trained(path: Path, *, which: str = "kept", device: str | None = None) -> Trained:
    """Loads a run's net. `which`: kept (what the run stands for), best, last, or a step.

    `device` is the one it was trained on unless given, or what there is where that is missing.
    Works while the run is being written. Raises RunError if there is no such checkpoint,
    ConfigError if the run's config has become one of another net.
    """
    if which not in ("kept", "best", "last") and not STEP.fullmatch(which):
        raise ConfigError(
            "--checkpoint", message=f"--checkpoint {which}: not kept, best, last or a step"
        )
    check_run(path)
    config = read(path / "config.yaml")
    experiment, notes = config.experiment, _unlike(path, config)
    found = _read_data(path / "data.json", experiment)
    if conflicts := conflicts_with_shape(experiment, found.signature):
        raise config.refusal(conflicts)
    network = config.network(found.signature)
    training = experiment.training
    where = _place(device, training.device)
    settle(where, pick_threads(training.threads, network, training.batch_size))
    dtype = weights_dtype(training.precision)
    with memory_of(where):
        state = State.empty(network, experiment.optimizer, device=where, dtype=dtype)
    checkpoint, damaged = _checkpoint(path, which, checkpoints.largest_file(state))
    checkpoint.fill(state)
    step = _choose(state, experiment, which)
    return Trained(
        path=path,
        experiment=experiment,
        state=state,
        step=step,
        signature=found.signature,
        scaling=found.scaling,
        class_names=found.class_names,
        columns=found.columns,
        fingerprint=found.fingerprint,
        notes=(*notes, *damaged),
    )


def _unlike(path: Path, config: Config) -> list[str]:
    """Returns what of a config is not what the run was trained with. Raises ConfigError if the
    weights are none of such a net.
    """
    if (before := recorded(path)) is None:
        if as_begun(path, config.experiment):
            return []
        return [f"{config.subject} is not what the run began with, or defaults have changed since"]
    found = changes(before, config.experiment)
    refuse_changes(found, config, Terms(accept_changes=True))
    return [f"not as trained: {change}" for change in found if change.kind == "accept"]


@dataclass(frozen=True)
class _SavedData:
    """What data.json tells."""

    signature: Signature
    scaling: Scaling
    class_names: tuple[str, ...]
    columns: tuple[dict[str, object], ...]
    fingerprint: str


def _read_data(path: Path, experiment: Experiment) -> _SavedData:
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
        return _SavedData(
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


def _place(wanted: str | None, trained_on: str) -> torch.device:
    if wanted is not None:
        return pick_device(wanted)
    try:
        return pick_device(trained_on)
    except MachineError:  # the net was trained on a device that is not here: it works on any
        return pick_device("auto")


def _checkpoint(
    path: Path, which: str, most: int
) -> tuple[checkpoints.Checkpoint, tuple[str, ...]]:
    folder = path / "checkpoints"
    if STEP.fullmatch(which):
        known = checkpoints.steps(folder)
        if int(which) not in known:
            listed = ", ".join(map(str, known)) or "none"
            raise RunError(f"{path} has no checkpoint of step {which}; it has {listed}")
        return checkpoints.load(folder, int(which), most), ()
    newest, damaged = checkpoints.load_newest(folder, most)
    if newest is None:
        raise RunError(f"{path} has no checkpoint yet", remedy=f"dnnlab resume {path}")
    return newest, damage(damaged, newest.step)


def _choose(state: State, experiment: Experiment, which: str) -> int:
    """Puts the wanted weights into the net and returns the step they are of."""
    best = state.best
    if which == "best":
        if best is None:
            raise RunError("the run has no best: nothing was evaluated on a validation split yet")
        wanted = best.network
    elif which == "kept":
        wanted = kept_network(experiment, state)
    else:
        return state.step
    if best is None or wanted is not best.network:
        return state.step
    for name, tensor in state.network_tensors().items():
        tensor.copy_(wanted[name])
    return best.step
