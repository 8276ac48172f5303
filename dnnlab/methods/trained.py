"""A trained net out of a run folder, ready to be asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from dnnlab.choices.datasets import Signature
from dnnlab.config.read import Config, read
from dnnlab.contradictions import conflicts_with_shape
from dnnlab.errors import ConfigError, MachineError, RunError
from dnnlab.experiment import Experiment
from dnnlab.methods.changes import as_begun, changes, recorded
from dnnlab.methods.resume import Terms, damage, refuse_changes
from dnnlab.methods.saved_data import read_data
from dnnlab.methods.train import kept_network
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import check_run
from dnnlab.training.data import Scaling
from dnnlab.training.machine import memory_of, pick_device, pick_threads, settle
from dnnlab.training.precision import weights_dtype
from dnnlab.training.state import State

STEP = re.compile(r"[0-9]{1,18}")


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
    """Of the data, or of the lesson where it was pretrained."""
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
    found = read_data(path / "data.json", experiment)
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
    lesson = experiment.pretraining
    return Trained(
        path=path,
        experiment=experiment,
        state=state,
        step=step,
        signature=found.signature,
        scaling=found.scaling,
        class_names=found.class_names if lesson is None else lesson.class_names,
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
