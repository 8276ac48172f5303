"""Everything a training needs, put together: plan, net, state, data on the device, engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dnnlab.config.read import Config
from dnnlab.contradictions import Finding, contradictions_with_data
from dnnlab.experiment import Experiment
from dnnlab.kernels.network import Network
from dnnlab.methods.examined import examine_once
from dnnlab.plan import Plan
from dnnlab.training.data import Data, prepare_for
from dnnlab.training.eager import EagerEngine
from dnnlab.training.engine import Engine
from dnnlab.training.machine import Machine, memory_of, pick_device, pick_threads, settle
from dnnlab.training.phases import Phases, frozen_between, of_pretraining, of_transfer
from dnnlab.training.precision import weights_dtype
from dnnlab.training.reuse import NoSuchLayer
from dnnlab.training.state import State


@dataclass
class Frozen:
    """The tensors, as they were after `since` updates, that frozen layers have to keep."""

    since: int
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class Session:
    """A training ready to begin, in memory: no file has been touched."""

    experiment: Experiment
    """Complete: device and threads are what they became on this machine."""
    plan: Plan
    machine: Machine
    data: Data
    state: State
    engine: Engine
    phases: Phases
    """Which layers learn when, where not all do from beginning to end."""
    frozen: Frozen

    def check_frozen(self) -> None:
        """Sees that what does not learn keeps every bit. Our bug if not."""
        state = self.state
        names = frozen_between(self.phases, self.frozen.since, state.step)
        tensors = state.network_tensors() if names else {}
        for layer in state.network.layers() if names else ():
            for name in layer.tensors if layer.name in names else ():
                before = self.frozen.tensors.get(name)
                moved = before is not None and not torch.equal(tensors[name], before)
                assert not moved, f"{name} is frozen, and moved"

    def other_stages(self) -> None:
        """From here on other layers may learn than did before: what is frozen is so from here."""
        self.frozen.since = self.state.step
        self.frozen.tensors = self.state.copy_of_network()


def assemble(
    config: Config,
    data: Data | None = None,
    *,
    begin: bool = True,
    given: Mapping[str, Tensor] | None = None,
) -> Session:
    """Reads the data and builds all parts. Raises DataError, ConfigError or MachineError.

    Unless it is to `begin`, the state is still to be filled from a checkpoint. `given` are tensors
    of another net that some layers begin with: without them a training is one from scratch, and
    whatever its `transfer` says has no part in it.
    """
    experiment = config.experiment
    if given is None and experiment.transfer is not None:
        config = config.with_experiment(experiment.model_copy(update={"transfer": None}))
        experiment = config.experiment
    device = pick_device(experiment.training.device)
    data = data or prepare_for(experiment, examine_once)
    held = 0 if data.validation is None else len(data.validation)
    if found := contradictions_with_data(experiment, data.signature, len(data.train), held):
        raise config.refusal(found)
    plan = experiment.plan(len(data.train))
    network = config.network(data.signature)
    training = experiment.training
    threads = pick_threads(training.threads, network, training.batch_size)
    machine = settle(device, threads)
    settled = training.model_copy(update={"device": str(device), "threads": threads})
    experiment = experiment.model_copy(update={"training": settled})
    dtype = weights_dtype(training.precision)
    with memory_of(device):
        state = State.empty(network, experiment.optimizer, device=device, dtype=dtype)
        state.given = {name: each.to(device, dtype) for name, each in (given or {}).items()}
        phases = _phases(config, plan, network, state.given)
        if begin:
            state.begin(training.seed)
        data = data.to(device, dtype)
        if experiment.task == "reconstruction":
            data = data.reconstructing()
        augmentation = experiment.data.augmentation
        augment = data.augmenter(augmentation, training.seed) if augmentation else None
        train, lesson = data.train, None
        if experiment.pretraining is not None:
            lesson = experiment.pretraining.lesson(train.inputs, train.targets)
            data = data.as_exams(experiment.pretraining)
        engine = EagerEngine(experiment, plan, state, train, augment, phases, lesson)
    frozen = Frozen(0, state.given)
    return Session(experiment, plan, machine, data, state, engine, phases, frozen)


def _phases(config: Config, plan: Plan, network: Network, given: Mapping[str, Tensor]) -> Phases:
    """Returns which layers learn when. Raises ConfigError for layers that are not there."""
    experiment, layers = config.experiment, network.layers()
    names = tuple(layer.name for layer in layers)
    if experiment.pretraining is not None:
        return of_pretraining(experiment.pretraining.phases(names), plan, names)
    if experiment.transfer is None:
        return ()
    reused = [layer.name for layer in layers if given.keys() >= set(layer.tensors)]
    try:
        return of_transfer(experiment.transfer, plan, names, reused)
    except NoSuchLayer as error:
        raise config.refusal([Finding(error.path, str(error))]) from None
