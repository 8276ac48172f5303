"""What holds for every optimizer: it minimises, uses all its settings, and decays kernels only."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dnnlab.choices import members
from dnnlab.choices.optimizers import Optimizer
from tests.support import made_up_data, session_of

NAMES = list(Optimizer.members)
RATES = {"sgd": 0.05, "adagrad": 0.5, "adadelta": 1.0, "lion": 0.01}
"""The highest rate of each on the quadratic; 0.05 for the others."""


def named(name: str, **settings: float | bool) -> Optimizer:
    chosen = members("optimizer")[name].model_validate({"name": name, **settings})
    assert isinstance(chosen, Optimizer)
    return chosen


def descend(
    optimizer: Optimizer, updates: int, *, cycled: bool = False, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Minimises (w1² + 10 w2²) / 2 from (1, -1), at a rate that falls to 0 in a straight line."""
    curvature = torch.tensor([1.0, 10.0], dtype=dtype)
    weights = torch.tensor([1.0, -1.0], dtype=dtype)
    slots = {name: [slot] for name, slot in optimizer.slots(weights).items()}
    update = optimizer.build()
    for step in range(updates):
        lr = optimizer.lr * (1 - step / updates)
        momentum = optimizer.own_momentum or 0.0
        if cycled and momentum:
            momentum = 0.9 + 0.05 * math.cos(2 * math.pi * step / updates)
        gradient = curvature * weights
        weights.mul_(1 - lr * optimizer.decay)
        update([weights], [gradient], slots, lr=lr, momentum=momentum, step=step)
    return weights


def test_they_stand_in_the_chapters_order() -> None:
    chapters = ["sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamax", "nadam"]
    assert [*chapters, "adamw", "radam", "lion"] == NAMES


@pytest.mark.parametrize("cycled", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_it_minimises_a_quadratic(name: str, dtype: torch.dtype, cycled: bool) -> None:
    """Slow ones: adadelta begins with steps of 3e-4, lion's memory is 100 updates long."""
    optimizer = named(name, lr=RATES.get(name, 0.05))
    updates = 2000 if name in ("adadelta", "lion") else 400
    assert descend(optimizer, updates, cycled=cycled, dtype=dtype).abs().max() < 0.02


SETTINGS = [
    (name, setting)
    for name, spec in members("optimizer").items()
    for setting in spec.model_fields
    if setting not in ("name", "nesterov")
]


@pytest.mark.parametrize(("name", "setting"), SETTINGS)
def test_every_setting_reaches_the_update(name: str, setting: str) -> None:
    """A quarter of the default is another course; from 0, and for an eps, 0.1 is."""
    default = getattr(named(name), setting)
    changed = 0.1 if setting == "eps" or default == 0 else default / 4
    usual = {"lr": 0.05}
    courses = [descend(named(name, **usual | own), 80) for own in ({}, {setting: changed})]
    change = (courses[0] - courses[1]).abs().max()
    assert change > 1e-10  # courses that end near 0 are told apart by more than rounding, 1e-16


@pytest.mark.parametrize("name", NAMES)
def test_its_memory_is_vectors_like_the_weights_or_numbers_in_float64(name: str) -> None:
    weights = torch.ones(5)
    for slot in named(name).slots(weights).values():
        if slot.ndim == 0:
            assert (slot.dtype, slot.device.type) == (torch.float64, "cpu")
        else:
            assert (slot.dtype, slot.shape) == (weights.dtype, weights.shape)
            assert slot.data_ptr() != weights.data_ptr()


@pytest.mark.parametrize("name", NAMES)
def test_no_default_rate_is_far_from_the_usual_one(name: str) -> None:
    """Keras's default for adagrad is a tenth of what its literature starts from."""
    assert 0.1 <= named(name).lr / named(name).usual_lr <= 1.0


DECAYING = ["sgd", "adamw", "radam", "lion"]


def test_who_decays() -> None:
    assert [name for name in NAMES if "weight_decay" in type(named(name)).model_fields] == DECAYING
    assert {name: named(name).decay for name in NAMES if named(name).decay} == {"adamw": 0.004}


@pytest.mark.parametrize("name", DECAYING)
def test_weight_decay_shrinks_kernels_and_nothing_else(name: str, tmp_path: Path) -> None:
    def after(decay: float) -> tuple[dict[str, Tensor], set[str], dict[str, Tensor]]:
        session = session_of(
            "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"
            "normalization: {name: batch, place: before_activation}\n"
            "training: {epochs: {updates: 3}, precision: float64, batch_size: 10}\n"
            f"optimizer: {{name: {name}, lr: 0.01, weight_decay: {decay}}}\n",
            made_up_data(),
            folder=tmp_path,
        )
        state = session.state
        before = {key: tensor.clone() for key, tensor in state.network_tensors().items()}
        session.engine.advance(1)
        return before, {kernel.name for kernel in state.network.kernels}, state.network_tensors()

    before, kernels, without = after(0.0)
    with_decay = after(0.5)[2]
    assert len(kernels) == 2
    assert len(without) > len(kernels) + 4
    for key, tensor in without.items():
        shrunk = 0.01 * 0.5 * before[key] if key in kernels else torch.zeros_like(before[key])
        torch.testing.assert_close(tensor - with_decay[key], shrunk, rtol=1e-9, atol=1e-15)
