"""Layers that learn at rates of their own, or not at all, against a loop written by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from dnnlab.training.eager import EagerEngine
from dnnlab.training.phases import Phase
from dnnlab.training.state import State
from tests.support import made_up_data, session_of

CONFIG = """
data: digits
architecture: {{name: mlp, hidden: [6, 5]}}
activation: elu
{lines}
training: {{epochs: {{updates: 12}}, batch_size: 20, precision: float64, threads: 1}}
"""
PHASES = (
    Phase(0, {"dense1": 0.0, "dense2": 1.0, "output": 0.5}),
    Phase(5, {"dense1": 0.1, "dense2": 1.0, "output": 0.5}),
)
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "{name: sgd, lr: 0.1}": lambda p: torch.optim.SGD(p, lr=0.1),
    "{name: sgd, lr: 0.1, momentum: 0.9, nesterov: true}": lambda p: torch.optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True
    ),
    "{name: adamax, lr: 0.01}": lambda p: torch.optim.Adamax(p, lr=0.01, eps=1e-7),
}


def engine_of(lines: str, folder: Path, phases: tuple[Phase, ...]) -> tuple[EagerEngine, State]:
    session = session_of(CONFIG.format(lines=lines), made_up_data(), folder=folder)
    made = EagerEngine(
        session.experiment, session.plan, session.state, session.data.train, phases=phases
    )
    return made, session.state


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_is_torchs_parameter_groups_with_a_new_optimizer_at_each_phase(
    optimizer: str, tmp_path: Path
) -> None:
    engine, state = engine_of(f"optimizer: {optimizer}", tmp_path, PHASES)
    module = state.network.module
    start = {name: each.detach().clone() for name, each in module.named_parameters()}
    batches = [engine.order.rows(update).clone() for update in range(12)]
    engine.advance(12)
    found = {name: each.detach().clone() for name, each in module.named_parameters()}

    parameters = dict(module.named_parameters())
    for name, each in parameters.items():
        each.requires_grad_(True).data.copy_(start[name])
    for phase, end in zip(PHASES, (5, 12), strict=True):
        groups = [
            {"params": [each for name, each in parameters.items() if name.startswith(layer)]}
            for layer in phase.factors
        ]
        theirs = OPTIMIZERS[optimizer](groups)
        for group, factor in zip(theirs.param_groups, phase.factors.values(), strict=True):
            group["lr"] *= factor
        for update in range(phase.start, end):
            rows = batches[update]
            theirs.zero_grad()
            inputs, targets = engine.train.inputs[rows], engine.train.targets[rows]
            cross_entropy(module(inputs), targets).backward()  # type: ignore[no-untyped-call]
            if phase.factors["dense1"] == 0:
                for each in groups[0]["params"]:
                    each.grad = None
            theirs.step()
    for name, each in parameters.items():
        torch.testing.assert_close(found[name], each.detach(), rtol=1e-7, atol=1e-10)


HARD = """
optimizer: {name: adamw, lr: 0.01, weight_decay: 0.1}
normalization: {name: batch, place: before_activation}
regularization: {l1: 0.01, l2: 0.01, max_norm: 0.1, dropout: {rate: 0.3, where: hidden}}
gradient_clipping: {norm: 0.5}
"""


def test_frozen_is_frozen_whatever_else_changes_weights(tmp_path: Path) -> None:
    """Penalties, decay, max-norm, clipping, and the averages of batch normalization included."""
    engine, state = engine_of(HARD, tmp_path, PHASES)
    before = state.copy_of_network()
    engine.advance(5)
    after = state.network_tensors()
    frozen = {name for name in before if name.startswith(("dense1", "norm1"))}
    assert {"norm1.running_mean", "norm1.weight", "dense1.weight"} <= frozen
    for name in before:
        assert torch.equal(before[name], after[name]) is (name in frozen), name
    slots = {name for name, each in state.slot_tensors().items() if not each.any()}
    assert {"mean.dense1.weight", "square.norm1.weight"} <= slots
    assert "mean.dense2.weight" not in slots
    engine.advance(6)
    assert not torch.equal(before["norm1.running_mean"], after["norm1.running_mean"])


def test_a_frozen_layers_batch_normalization_uses_the_averages_it_has(tmp_path: Path) -> None:
    """The loss of the first update is that of a net in evaluation mode, dropout aside."""
    lines = "normalization: {name: batch, place: before_activation}"
    frozen = (Phase(0, {"dense1": 0.0, "dense2": 0.0, "output": 1.0}),)
    engine, state = engine_of(lines, tmp_path, frozen)
    rows = engine.order.rows(0)
    module = state.network.module.eval()
    with torch.no_grad():
        expected = cross_entropy(module(engine.train.inputs[rows]), engine.train.targets[rows])
    assert engine.advance(1).losses == [pytest.approx(expected.item(), rel=1e-12)]


def test_batch_normalization_may_stand_still_in_a_layer_that_learns(tmp_path: Path) -> None:
    lines = "normalization: {name: batch, place: before_activation}\noptimizer: {lr: 0.1}"
    factors = {"dense1": 1.0, "dense2": 1.0, "output": 1.0}
    engine, state = engine_of(lines, tmp_path, (Phase(0, factors, frozenset({"dense1"})),))
    before = state.copy_of_network()
    engine.advance(3)
    after = state.network_tensors()
    assert torch.equal(before["norm1.running_mean"], after["norm1.running_mean"])
    assert not torch.equal(before["norm1.weight"], after["norm1.weight"])
    assert not torch.equal(before["norm2.running_mean"], after["norm2.running_mean"])


def test_one_phase_in_which_all_learn_is_no_phases_to_the_bit(tmp_path: Path) -> None:
    """Nadam's momentum product, one number for all weights, is moved on once an update."""
    lines = "optimizer: {name: nadam, lr: 0.01}\nregularization: {l2: 0.01}"
    factors = {"dense1": 1.0, "dense2": 1.0, "output": 1.0}
    engine, state = engine_of(lines, tmp_path, (Phase(0, factors),))
    engine.advance(12)
    plain, other = engine_of(lines, tmp_path, ())
    plain.advance(12)
    assert torch.equal(state.weights, other.weights)
    groups, third = engine_of(lines, tmp_path, (Phase(0, {**factors, "dense1": 0.999999}),))
    groups.advance(12)
    numbers = [name for name, slot in other.slots.items() if slot.ndim == 0]
    assert numbers
    for name in numbers:
        assert torch.equal(third.slots[name], other.slots[name])
    torch.testing.assert_close(third.weights, other.weights, rtol=1e-4, atol=1e-6)


def test_a_rate_alone_that_changes_leaves_the_memory_as_it_is(tmp_path: Path) -> None:
    """A phase at the same rate is no phase at all."""
    lines = "optimizer: {name: nadam, lr: 0.01}"
    factors = {"dense1": 1.0, "dense2": 1.0, "output": 1.0}
    engine, state = engine_of(lines, tmp_path, (Phase(0, factors), Phase(5, factors)))
    engine.advance(12)
    plain, other = engine_of(lines, tmp_path, ())
    plain.advance(12)
    assert torch.equal(state.weights, other.weights)
    assert state.applied == 12


def test_how_one_looks_up_in_between_changes_nothing(tmp_path: Path) -> None:
    lines = HARD
    whole, one = engine_of(lines, tmp_path, PHASES)
    whole.advance(12)
    parts, other = engine_of(lines, tmp_path, PHASES)
    for until in (1, 4, 5, 6, 12):
        parts.advance(until)
    assert torch.equal(one.weights, other.weights)
    assert all(torch.equal(one.slots[name], other.slots[name]) for name in one.slots)


def test_a_fault_in_a_later_phase_is_found(tmp_path: Path) -> None:
    faster = Phase(5, {"dense1": 0.1, "dense2": 2.0, "output": 0.5})
    lines = "optimizer: {name: sgd, lr: 0.1}"
    engine, state = engine_of(lines, tmp_path, (PHASES[0], faster))
    engine.advance(7)
    engine.train.inputs.fill_(torch.nan)
    failure = engine.advance(12).failure
    assert failure is not None
    assert (failure.update, failure.what) == (7, "the output of layer flatten")
    assert failure.lr == pytest.approx(0.2)  # of dense2
    assert state.step == 7


def test_an_update_that_is_left_out_may_be_the_first_of_a_phase(tmp_path: Path) -> None:
    """The optimizer begins anew all the same."""
    lines = "optimizer: {name: adam, lr: 0.01}"
    engine, state = engine_of(lines, tmp_path, PHASES)
    engine.advance(5)
    rows = engine.order.rows(5)
    whole = engine.train.inputs.clone()
    engine.train.inputs[rows] = torch.nan
    failure = engine.advance(12).failure
    assert failure is not None
    assert failure.update == 5
    assert state.applied == 0
    assert not any(slot.any() for slot in state.slots.values() if slot.ndim)
    state.step += 1  # as the loop leaves it out
    engine.train.inputs.copy_(whole)
    engine.advance(7)
    assert state.applied == 1
