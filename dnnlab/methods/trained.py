"""A trained net out of a run folder, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from dnnlab.choices.datasets import Signature
from dnnlab.config.read import read
from dnnlab.errors import ConfigError, MachineError, RunError
from dnnlab.experiment import Experiment
from dnnlab.methods.resume import damage
from dnnlab.methods.train import kept_network
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import check_run
from dnnlab.runs.records import read_json
from dnnlab.training.data import Scaling
from dnnlab.training.machine import pick_device, pick_threads, settle
from dnnlab.training.precision import weights_dtype
from dnnlab.training.state import State


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
    Works while the run is being written. Raises RunError if there is no such checkpoint.
    """
    if which not in ("kept", "best", "last") and not which.isdecimal():
        raise ConfigError(
            "--checkpoint", message=f"--checkpoint {which}: not kept, best, last or a step"
        )
    check_run(path)
    experiment = read(path / "config.yaml").experiment
    saved = read_json(path / "data.json")
    try:
        scaling = Scaling.from_json(saved["scaling"])
        class_names, columns = tuple(saved["class_names"]), tuple(saved["columns"])
        shape, task = tuple(saved["input_shape"]), saved["task"]
        fingerprint = str(saved["fingerprint"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path / 'data.json'} is not as dnnlab wrote it: {error!r}") from error
    signature = Signature(shape, len(class_names) or 1, task)
    network = experiment.network(signature)
    training = experiment.training
    where = _place(device, training.device)
    settle(where, pick_threads(training.threads, network, training.batch_size))
    dtype = weights_dtype(training.precision)
    state = State.empty(network, experiment.optimizer, device=where, dtype=dtype)
    checkpoint, notes = _checkpoint(path, which)
    state.load(checkpoint.tensors, checkpoint.state["state"])
    step = _choose(state, experiment, which)
    return Trained(
        path=path,
        experiment=experiment,
        state=state,
        step=step,
        signature=signature,
        scaling=scaling,
        class_names=class_names,
        columns=columns,
        fingerprint=fingerprint,
        notes=notes,
    )


def _place(wanted: str | None, trained_on: str) -> torch.device:
    if wanted is not None:
        return pick_device(wanted)
    try:
        return pick_device(trained_on)
    except MachineError:  # the net was trained on a device that is not here: it works on any
        return pick_device("auto")


def _checkpoint(path: Path, which: str) -> tuple[checkpoints.Checkpoint, tuple[str, ...]]:
    folder = path / "checkpoints"
    if which.isdecimal():
        known = checkpoints.steps(folder)
        if int(which) not in known:
            listed = ", ".join(map(str, known)) or "none"
            raise RunError(f"{path} has no checkpoint of step {which}; it has {listed}")
        return checkpoints.load(folder, int(which)), ()
    newest, damaged = checkpoints.load_newest(folder)
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
