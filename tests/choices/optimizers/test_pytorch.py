"""What our docstrings say of PyTorch's optimizers, decided by the PyTorch that is installed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, optim

from dnnlab.choices import members
from dnnlab.choices.optimizers import Optimizer
from dnnlab.kernels.penalties import add_l2_gradient_

DEFAULTS: list[tuple[type[optim.Optimizer], str, object]] = [
    (optim.SGD, "lr", 1e-3),
    (optim.Adagrad, "lr", 1e-2),
    (optim.Adagrad, "initial_accumulator_value", 0),
    (optim.Adagrad, "eps", 1e-10),
    (optim.Adadelta, "lr", 1.0),
    (optim.Adadelta, "rho", 0.9),
    (optim.Adadelta, "eps", 1e-6),
    (optim.RMSprop, "lr", 1e-2),
    (optim.RMSprop, "alpha", 0.99),
    (optim.RMSprop, "eps", 1e-8),
    (optim.Adam, "lr", 1e-3),
    (optim.Adam, "betas", (0.9, 0.999)),
    (optim.Adam, "eps", 1e-8),
    (optim.Adamax, "lr", 2e-3),
    (optim.Adamax, "eps", 1e-8),
    (optim.NAdam, "lr", 2e-3),
    (optim.NAdam, "eps", 1e-8),
    (optim.NAdam, "momentum_decay", 0.004),
    (optim.AdamW, "eps", 1e-8),
    (optim.AdamW, "weight_decay", 0.01),
    (optim.RAdam, "lr", 1e-3),
    (optim.RAdam, "eps", 1e-8),
    (optim.RAdam, "weight_decay", 0),
    (optim.RAdam, "decoupled_weight_decay", False),
]
Make = Callable[[list[Tensor]], optim.Optimizer]


@pytest.mark.parametrize(
    ("kind", "setting", "value"), DEFAULTS, ids=[f"{k.__name__}-{s}" for k, s, _ in DEFAULTS]
)
def test_defaults(kind: type[optim.Optimizer], setting: str, value: object) -> None:
    assert inspect.signature(kind).parameters[setting].default == value


def test_there_is_no_lion() -> None:
    assert not hasattr(optim, "Lion")


def torchs(make: Make, gradients: list[float], rates: list[float], *, first: float = 0.0) -> float:
    """Returns where one weight ends that begins at `first` and is given these gradients."""
    weight = torch.tensor([first], dtype=torch.float64, requires_grad=True)
    optimizer = make([weight])
    for gradient, lr in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = lr
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
    return weight.item()


def ours(
    name: str, gradients: list[float], rates: list[float], *, first: float = 0.0, **settings: Any
) -> float:
    chosen = members("optimizer")[name].model_validate({"name": name, **settings})
    assert isinstance(chosen, Optimizer)
    weight = torch.tensor([first], dtype=torch.float64)
    slots = {key: [slot] for key, slot in chosen.slots(weight).items()}
    update = chosen.build()
    for step, (gradient, lr) in enumerate(zip(gradients, rates, strict=True)):
        weight.mul_(1 - lr * chosen.decay)
        pieces = [torch.tensor([gradient], dtype=torch.float64)]
        momentum = chosen.own_momentum or 0.0
        update([weight], pieces, slots, lr=lr, momentum=momentum, step=step)
    return weight.item()


def test_sgd_has_lr_outside_the_sum_and_we_inside() -> None:
    """Gradients 1, 1 at rates 1, 0.1: ours keeps the first step's length in the momentum."""
    found = torchs(lambda w: optim.SGD(w, momentum=0.9), [1, 1], [1, 0.1])
    assert found == pytest.approx(-1 - 0.1 * (0.9 + 1), rel=1e-14)
    assert ours("sgd", [1, 1], [1, 0.1], momentum=0.9) == pytest.approx(
        -1 + (0.9 * -1 - 0.1), rel=1e-14
    )


def test_rmsprop_has_lr_outside_the_sum_and_we_inside() -> None:
    """Of gradients 1, 1 the means of squares are 1/2 and 3/4."""
    moves = [1 / math.sqrt(0.5), 1 / math.sqrt(0.75)]
    settings: dict[str, Any] = {"momentum": 0.9, "eps": 1e-20}
    found = torchs(lambda w: optim.RMSprop(w, alpha=0.5, **settings), [1, 1], [1, 0.1])
    assert found == pytest.approx(-moves[0] - 0.1 * (0.9 * moves[0] + moves[1]), rel=1e-14)
    mine = ours("rmsprop", [1, 1], [1, 0.1], rho=0.5, **settings)
    assert mine == pytest.approx(-moves[0] - 0.9 * moves[0] - 0.1 * moves[1], rel=1e-14)


# An eps of 1 beside a gradient of 2 shows where it is added: (torch's, its step, ours, our step).
EPS: dict[str, tuple[Make, float, str, dict[str, Any], float]] = {
    "adagrad: added to the root; we inside": (
        lambda w: optim.Adagrad(w, eps=1.0),
        2 / (2 + 1),
        "adagrad",
        {"eps": 1.0, "initial_accumulator": 0.0},
        2 / math.sqrt(4 + 1),
    ),
    "rmsprop: added to the root; we inside": (
        lambda w: optim.RMSprop(w, alpha=0.75, eps=1.0),
        2 / (math.sqrt(0.25 * 4) + 1),
        "rmsprop",
        {"rho": 0.75, "eps": 1.0},
        2 / math.sqrt(0.25 * 4 + 1),
    ),
    "adadelta: inside both roots; as we": (
        lambda w: optim.Adadelta(w, rho=0.75, eps=1.0),
        2 / math.sqrt(0.25 * 4 + 1),
        "adadelta",
        {"rho": 0.75, "eps": 1.0},
        2 / math.sqrt(0.25 * 4 + 1),
    ),
    "adam: after the correction; we before": (
        lambda w: optim.Adam(w, betas=(0.9, 0.75), eps=1.0),
        2 / (2 + 1),
        "adam",
        {"beta2": 0.75, "eps": 1.0},
        math.sqrt(0.25) * 2 / (math.sqrt(0.25 * 4) + 1),
    ),
    "adamw: after the correction; we before": (
        lambda w: optim.AdamW(w, betas=(0.9, 0.75), eps=1.0),
        2 / (2 + 1),
        "adamw",
        {"beta2": 0.75, "eps": 1.0},
        math.sqrt(0.25) * 2 / (math.sqrt(0.25 * 4) + 1),
    ),
    "nadam: after the correction; as we": (
        lambda w: optim.NAdam(w, betas=(0.0, 0.75), eps=1.0),
        2 / (2 + 1),
        "nadam",
        {"beta1": 0.0, "beta2": 0.75, "eps": 1.0},
        2 / (2 + 1),
    ),
}


@pytest.mark.parametrize("case", EPS)
def test_where_eps_is_added(case: str) -> None:
    make, their_step, name, settings, our_step = EPS[case]
    assert torchs(make, [2], [1]) == pytest.approx(-their_step, rel=1e-13)
    assert ours(name, [2], [1], **settings) == pytest.approx(-our_step, rel=1e-13)


def test_adamax_adds_eps_inside_the_maximum_and_we_after_it() -> None:
    """Of gradients 2, 0.5: the largest is 0.5 * 2 twice over, but 0.5 * (2 + 1) = 0.5 + 1 there."""
    found = torchs(lambda w: optim.Adamax(w, betas=(0.0, 0.5), eps=1.0), [2, 0.5], [0, 1])
    assert found == pytest.approx(-0.5 / max(0.5 * (2 + 1), 0.5 + 1), rel=1e-13)
    mine = ours("adamax", [2, 0.5], [0, 1], beta1=0.0, beta2=0.5, eps=1.0)
    assert mine == pytest.approx(-0.5 / (max(0.5 * 2, 0.5) + 1), rel=1e-13)


def test_radam_adds_eps_before_the_correction_as_we_do() -> None:
    many = [2.0] * 6  # the first rectified update is the 6th
    found = torchs(lambda w: optim.RAdam(w, eps=1.0), many, [1.0] * 6)
    assert ours("radam", many, [1.0] * 6, eps=1.0) == pytest.approx(found, rel=1e-12)
    assert abs(found + 5 * 2) < 0.1  # five plain steps of 2, and one that is held back


def test_our_adam_at_the_first_update_is_torchs_with_an_eps_of_3e_6() -> None:
    eps = 1e-7 / math.sqrt(1 - 0.999)
    assert eps == pytest.approx(3.16e-6, rel=1e-3)
    found = torchs(lambda w: optim.Adam(w, eps=eps), [1e-6], [1])
    assert ours("adam", [1e-6], [1]) == pytest.approx(found, rel=1e-10)


def test_adagrads_first_step_is_the_sign_of_the_gradient() -> None:
    for gradient in (3.0, -1e-3):
        found = torchs(optim.Adagrad, [gradient], [0.5])
        assert found == pytest.approx(-0.5 * math.copysign(1, gradient), rel=1e-6)
    assert abs(ours("adagrad", [1e-3], [0.5])) < 0.002  # 0.5 * 1e-3 / sqrt(0.1)


@pytest.mark.parametrize(("warm_up", "updates"), [(0.004, 25_000), (1.0, 100)])
def test_nadams_momentum_warms_up_with_momentum_decay(warm_up: float, updates: int) -> None:
    """Keras's is that of 1: 0.892 after 100 updates, which 0.004 reaches after 25,000."""
    weight = torch.zeros(1, requires_grad=True)
    optimizer = optim.NAdam([weight], momentum_decay=warm_up)
    weight.grad = torch.ones(1)
    optimizer.step()
    state = optimizer.state[weight]
    assert state["mu_product"].item() == pytest.approx(0.9 * (1 - 0.5 * 0.96**warm_up), rel=1e-6)
    state["step"].fill_(updates - 1)
    state["mu_product"].fill_(1.0)
    optimizer.step()
    assert state["mu_product"].item() == pytest.approx(0.9 * (1 - 0.5 * 0.96**100), rel=1e-6)
    assert state["mu_product"].item() == pytest.approx(0.892, abs=5e-4)


def test_adam_corrects_by_powers_of_the_present_beta1() -> None:
    """Of gradients 1, 1 every weighted mean is 1; theirs is not once beta1 has changed."""
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = optim.Adam([weight], lr=1.0, eps=1e-20)
    for beta1 in (0.95, 0.85):
        optimizer.param_groups[0]["betas"] = (beta1, 0.999)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
    mean = 0.85 * 0.05 + 0.15
    assert weight.item() == pytest.approx(-1 - mean / (1 - 0.85**2), rel=1e-12)
    assert mean / (1 - 0.95 * 0.85) == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, optim.RMSprop, optim.Adagrad])
def test_weight_decay_is_twice_the_l2_of_ours(kind: Callable[..., optim.Optimizer]) -> None:
    """It is added to the gradient as the penalty's is, before anything is rescaled."""
    gradient = torch.tensor([0.3], dtype=torch.float64)
    add_l2_gradient_(gradient, torch.tensor([2.0], dtype=torch.float64), 0.05)
    penalized = torchs(kind, [gradient.item()], [0.1], first=2.0)
    decayed = torchs(lambda w: kind(w, weight_decay=2 * 0.05), [0.3], [0.1], first=2.0)
    assert decayed == pytest.approx(penalized, rel=1e-14)


def test_weight_decay_of_adamw_is_decoupled_and_that_of_radam_if_asked() -> None:
    kept = 2.0 * (1 - 0.1 * 0.5)
    without = torchs(lambda w: optim.AdamW(w, weight_decay=0), [0.3], [0.1])
    found = torchs(lambda w: optim.AdamW(w, weight_decay=0.5), [0.3], [0.1], first=2.0)
    assert found == pytest.approx(kept + without, rel=1e-12)
    for decoupled, expected in ((True, kept - 0.1 * 0.3), (False, 2 - 0.1 * (0.3 + 0.5 * 2))):
        make = partial(optim.RAdam, weight_decay=0.5, decoupled_weight_decay=decoupled)
        assert torchs(make, [0.3], [0.1], first=2.0) == pytest.approx(expected, rel=1e-12)


def test_our_weight_decay_is_that_of_l2_only_in_plain_descent() -> None:
    def after(name: str, **settings: float) -> tuple[float, float]:
        decayed = ours(name, [0.3], [0.1], first=2.0, weight_decay=0.1, **settings)
        return decayed, ours(name, [0.3 + 2 * 0.05 * 2.0], [0.1], first=2.0, **settings)

    decayed, penalized = after("sgd")
    assert decayed == pytest.approx(penalized, rel=1e-14)
    decayed, _ = after("adamw")
    penalized = ours("adam", [0.3 + 2 * 0.05 * 2.0], [0.1], first=2.0)
    assert abs(decayed - penalized) > 1e-3


def test_weight_decay_takes_every_parameter() -> None:
    norm = torch.nn.BatchNorm1d(1)
    optimizer = optim.SGD(norm.parameters(), lr=1.0, weight_decay=0.5)
    for parameter in norm.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert norm.weight.item() == 0.5
