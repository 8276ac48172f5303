"""Each optimizer against its textbook loop in float64, against torch's where the two agree, and the
fused float32 path against the same loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from dnnlab.kernels.optimizers import nadam_, sgd_

UPDATES = 25
CURVATURE = torch.linspace(0.1, 4.0, 7, dtype=torch.float64)
RATES = [0.01 + 0.04 * math.sin(0.3 * t) ** 2 for t in range(UPDATES)]
MOMENTA = [0.0 if t in (0, 9) else 0.95 - 0.1 * math.sin(0.2 * t) for t in range(UPDATES)]
"""As a schedule may have it: moving, and 0 now and then."""


def gradient(weights: Tensor) -> Tensor:
    """Of sum(curvature * w² / 2) + sum(cos w): not quadratic, so nothing cancels."""
    return CURVATURE.to(weights.dtype) * weights - torch.sin(weights)


def start(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.linspace(-1, 2, 7, dtype=dtype)


def follow(
    update: Callable[..., None],
    slots: dict[str, list[Tensor]],
    weights: Tensor,
    *,
    rates: list[float] = RATES,
    momenta: list[float] = MOMENTA,
) -> Tensor:
    """Applies all updates to weights cut into two pieces."""
    cut = [3, len(weights) - 3]
    for step in range(UPDATES):
        pieces = list(torch.split(gradient(weights), cut))
        update(
            list(torch.split(weights, cut)),
            pieces,
            slots,
            lr=rates[step],
            momentum=momenta[step],
            step=step,
        )
    return weights


def in_pieces(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [torch.zeros(3, dtype=dtype), torch.zeros(4, dtype=dtype)]


def sgd(nesterov: bool) -> Callable[..., None]:
    return partial(sgd_, nesterov=nesterov)


def nadam(**settings: float) -> Callable[..., None]:
    chosen: dict[str, Any] = {"beta2": 0.99, "eps": 1e-7, "momentum_decay": 0.004} | settings
    return partial(nadam_, **chosen)


def test_plain_gradient_descent() -> None:
    expected = start()
    for lr in RATES:
        expected = expected - lr * gradient(expected)
    torch.testing.assert_close(follow(sgd(False), {}, start()), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_momentum_is_the_chapters_under_a_changing_rate(
    nesterov: bool, dtype: torch.dtype, rtol: float
) -> None:
    """In float32 each of 25 updates rounds to 6e-8; on this path errors grow at most tenfold."""
    w, m = start(), torch.zeros(7, dtype=torch.float64)
    for lr, momentum in zip(RATES, MOMENTA, strict=True):
        g = gradient(w)
        m = momentum * m - lr * g
        w = w + (momentum * m - lr * g if nesterov else m)
    found = follow(sgd(nesterov), {"velocity": in_pieces(dtype)}, start(dtype))
    torch.testing.assert_close(found.double(), w, rtol=rtol, atol=0)


def test_nesterov_is_the_gradient_taken_ahead() -> None:
    """m <- beta m - lr grad(theta + beta m), theta <- theta + m, seen at theta + beta m."""
    momenta = [0.9] * UPDATES  # with a momentum that changes, 'ahead' moves between two updates
    theta, m = start(), torch.zeros(7, dtype=torch.float64)
    for lr in RATES:
        m = 0.9 * m - lr * gradient(theta + 0.9 * m)
        theta = theta + m
    found = follow(sgd(True), {"velocity": in_pieces()}, start(), momenta=momenta)
    torch.testing.assert_close(found, theta + 0.9 * m, rtol=1e-12, atol=0)


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_is_torchs_at_a_constant_rate_and_only_then(nesterov: bool) -> None:
    def torchs(rates: list[float]) -> Tensor:
        weights = start().requires_grad_()
        optimizer = torch.optim.SGD([weights], lr=1.0, momentum=0.9, nesterov=nesterov)
        for lr in rates:
            optimizer.param_groups[0]["lr"] = lr
            weights.grad = gradient(weights.detach())
            optimizer.step()
        return weights.detach()

    def ours(rates: list[float]) -> Tensor:
        momenta = [0.9] * UPDATES
        slots = {"velocity": in_pieces()}
        return follow(sgd(nesterov), slots, start(), rates=rates, momenta=momenta)

    constant = [0.02] * UPDATES
    torch.testing.assert_close(ours(constant), torchs(constant), rtol=1e-12, atol=0)
    assert not torch.allclose(ours(RATES), torchs(RATES), rtol=1e-3)


def test_a_rate_of_zero_leaves_only_the_momentum() -> None:
    weights, velocity = start(), in_pieces()
    velocity[0] += 1.0  # the kernel's buffer is minus the velocity
    before = weights.clone()
    sgd_(
        list(torch.split(weights, [3, 4])),
        in_pieces(),
        {"velocity": velocity},
        lr=0.0,
        momentum=0.5,
        step=0,
        nesterov=False,
    )
    moved = torch.tensor([-0.5] * 3 + [0.0] * 4, dtype=torch.float64)
    torch.testing.assert_close(weights - before, moved, rtol=1e-14, atol=1e-14)


def nadam_slots() -> dict[str, list[Tensor]]:
    one = torch.ones((), dtype=torch.float64)
    return {"mean": in_pieces(), "square": in_pieces(), "momentum_product": [one]}


@pytest.mark.parametrize("decay", [0.004, 1.0])
def test_nadam_is_the_papers(decay: float) -> None:
    w = start()
    m = v = torch.zeros(7, dtype=torch.float64)
    product = 1.0
    for t, (lr, beta1) in enumerate(zip(RATES, MOMENTA, strict=True), start=1):
        g = gradient(w)
        mu, after = (beta1 * (1 - 0.5 * 0.96 ** (k * decay)) for k in (t, t + 1))
        product *= mu
        m = beta1 * m + (1 - beta1) * g
        v = 0.99 * v + 0.01 * g**2
        ahead = after * m / (1 - product * after) + (1 - mu) * g / (1 - product)
        w = w - lr * ahead / (torch.sqrt(v / (1 - 0.99**t)) + 1e-7)
    found = follow(nadam(momentum_decay=decay), nadam_slots(), start())
    torch.testing.assert_close(found, w, rtol=1e-11, atol=0)


def test_nadam_is_torchs_at_constant_momentum() -> None:
    weights = start().requires_grad_()
    theirs = torch.optim.NAdam([weights], lr=1.0, betas=(0.9, 0.99), eps=1e-7)
    for lr in RATES:
        theirs.param_groups[0]["lr"] = lr
        weights.grad = gradient(weights.detach())
        theirs.step()
    found = follow(nadam(), nadam_slots(), start(), momenta=[0.9] * UPDATES)
    # torch keeps the product of momenta in float32, which rounds to 6e-8.
    torch.testing.assert_close(found, weights.detach(), rtol=1e-7, atol=0)
