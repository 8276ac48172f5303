"""Each optimizer against its textbook form in float64, against torch's where the two agree, and the
float32 path against the same form.

The expected steps of all but gradient descent and Nadam are computed from the whole history of
gradients, so no running average of ours is repeated in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from dnnlab.kernels.optimizers import (
    adadelta_,
    adagrad_,
    adam_,
    adamax_,
    lion_,
    nadam_,
    radam_,
    rmsprop_,
    sgd_,
)

UPDATES = 25
CURVATURE = torch.linspace(0.1, 4.0, 7, dtype=torch.float64)
RATES = [0.01 + 0.04 * math.sin(0.3 * t) ** 2 for t in range(UPDATES)]
CYCLED = [0.9 + 0.05 * math.cos(0.25 * t) for t in range(UPDATES)]
"""As a schedule has it, never 0: a momentum of 0 at the first update leaves no bias to correct."""
MOMENTA = [0.0 if t in (0, 9) else momentum for t, momentum in enumerate(CYCLED)]
"""The same, and 0 now and then."""


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


# --- against the whole history of gradients --------------------------------------------------


def faded(past: list[Tensor], decay: float) -> Tensor:
    """Returns the moving average of a history that began at 0."""
    ages = reversed(range(len(past)))
    parts = [(1 - decay) * decay**age * each for age, each in zip(ages, past, strict=True)]
    return torch.stack(parts).sum(0)


def mean_of(past: list[Tensor], betas: list[float]) -> Tensor:
    """Returns the average of a history in which each beta fades all that came before."""
    shares = [
        (1 - beta) * math.prod(betas[index + 1 : len(past)])
        for index, beta in enumerate(betas[: len(past)])
    ]
    total = sum(share * each for share, each in zip(shares, past, strict=True))
    assert isinstance(total, Tensor)
    return total / sum(shares)


def with_momentum(moves: list[Tensor], momenta: list[float]) -> Tensor:
    """Returns the velocity: every move so far, faded by the momenta since."""
    parts = [math.prod(momenta[i + 1 : len(moves)]) * move for i, move in enumerate(moves)]
    return torch.stack(parts).sum(0)


def adagrad_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    return -rates[-1] * g[-1] / torch.sqrt(0.1 + torch.stack(g).square().sum(0) + 1e-7)


def adadelta_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    moves: list[Tensor] = []
    for t in range(1, len(g) + 1):
        size = faded([each**2 for each in g[:t]], 0.8)
        before = faded([each**2 for each in moves], 0.8) if moves else torch.zeros_like(g[0])
        moves.append(-torch.sqrt(before + 1e-4) / torch.sqrt(size + 1e-4) * g[t - 1])
    return rates[-1] * moves[-1]


def rmsprop_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    sizes = [faded([each**2 for each in g[: t + 1]], 0.9) for t in range(len(g))]
    moves = [
        -lr * each / torch.sqrt(size + 1e-4) for lr, each, size in zip(rates, g, sizes, strict=True)
    ]
    return with_momentum(moves, betas)


def plain_rmsprop_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    return rmsprop_step(g, rates, [0.0] * len(g))


def adam_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    """Algorithm 1, with the eps that is Keras's before the correction."""
    began = 1 - 0.99 ** len(g)
    size = faded([each**2 for each in g], 0.99) / began
    return -rates[-1] * mean_of(g, betas) / (torch.sqrt(size) + 1e-4 / math.sqrt(began))


def adamax_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    sizes = [0.99**age * each.abs() for age, each in zip(reversed(range(len(g))), g, strict=True)]
    return -rates[-1] * mean_of(g, betas) / (torch.stack(sizes).amax(0) + 1e-4)


def radam_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    """The length of a simple average with the same mean age, section 4.1 of the paper."""
    ages = range(1, len(g) + 1)
    shares = [0.99 ** (age - 1) for age in ages]
    mean_age = sum(age * share for age, share in zip(ages, shares, strict=True)) / sum(shares)
    n, limit = 2 * mean_age - 1, 2 / (1 - 0.99) - 1
    if n <= 5:
        return -rates[-1] * mean_of(g, betas)
    r = math.sqrt((n - 4) * (n - 2) * limit / ((limit - 4) * (limit - 2) * n))
    return r * adam_step(g, rates, betas)


def lion_step(g: list[Tensor], rates: list[float], betas: list[float]) -> Tensor:
    before = faded(g[:-1], 0.95) if len(g) > 1 else torch.zeros_like(g[0])
    return -rates[-1] * torch.sign(betas[-1] * before + (1 - betas[-1]) * g[-1])


Step = Callable[[list[Tensor], list[float], list[float]], Tensor]
Case = tuple[Callable[..., None], Step, tuple[str, ...]]
MOMENTS: dict[str, Any] = {"beta2": 0.99, "eps": 1e-4}
CASES: dict[str, Case] = {
    "adagrad": (adagrad_, adagrad_step, ("squares",)),
    "adadelta": (partial(adadelta_, rho=0.8, eps=1e-4), adadelta_step, ("square", "change")),
    "rmsprop": (partial(rmsprop_, rho=0.9, eps=1e-4), plain_rmsprop_step, ("square",)),
    "rmsprop with momentum": (
        partial(rmsprop_, rho=0.9, eps=1e-4),
        rmsprop_step,
        ("square", "velocity"),
    ),
    "adam": (partial(adam_, **MOMENTS), adam_step, ("mean", "square")),
    "adamax": (partial(adamax_, **MOMENTS), adamax_step, ("mean", "largest")),
    "radam": (partial(radam_, **MOMENTS), radam_step, ("mean", "square")),
    "lion": (partial(lion_, beta2=0.95), lion_step, ("mean",)),
}


def memory(name: str, dtype: torch.dtype = torch.float64) -> dict[str, list[Tensor]]:
    slots = {slot: in_pieces(dtype) for slot in CASES[name][2]}
    if name == "adagrad":
        for piece in slots["squares"]:
            piece += 0.1 + 1e-7
    return slots | {"momentum_product": [torch.ones((), dtype=torch.float64)]}


@pytest.mark.parametrize("momenta", [CYCLED, MOMENTA], ids=["cycled", "with zeros"])
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", CASES)
def test_the_step_follows_from_all_gradients_so_far(
    name: str, dtype: torch.dtype, rtol: float, momenta: list[float]
) -> None:
    """In float32 each of 25 updates rounds to 6e-8, of a weight near 0 to more of it."""
    update, step, _ = CASES[name]
    w = start()
    past: list[Tensor] = []
    for t in range(1, UPDATES + 1):
        past.append(gradient(w))
        w = w + step(past, RATES[:t], momenta[:t])
    found = follow(update, memory(name, dtype), start(dtype), momenta=momenta)
    torch.testing.assert_close(found.double(), w, rtol=rtol, atol=rtol / 100)


# --- against torch ---------------------------------------------------------------------------

NEARLY_NONE = 1e-20
"""An eps so small that it does not matter where it is added."""


def torchs(make: Callable[[Tensor], torch.optim.Optimizer], rates: list[float] = RATES) -> Tensor:
    weights = start().requires_grad_()
    optimizer = make(weights)
    for t, lr in enumerate(rates, start=1):
        (group,) = optimizer.param_groups
        group["lr"] = lr
        if type(optimizer) in (torch.optim.Adam, torch.optim.AdamW):
            group["eps"] = 1e-4 / math.sqrt(1 - 0.99**t)  # Keras's, as seen after the correction
        weights.grad = gradient(weights.detach())
        optimizer.step()
    return weights.detach()


OF_TORCH: dict[str, tuple[Callable[..., None], str, Callable[[Tensor], torch.optim.Optimizer]]] = {
    "adagrad": (
        adagrad_,
        "adagrad",
        lambda w: torch.optim.Adagrad([w], initial_accumulator_value=0.1 + 1e-7, eps=NEARLY_NONE),
    ),
    "adadelta": (
        partial(adadelta_, rho=0.8, eps=1e-4),
        "adadelta",
        lambda w: torch.optim.Adadelta([w], rho=0.8, eps=1e-4),
    ),
    "rmsprop": (
        partial(rmsprop_, rho=0.9, eps=NEARLY_NONE),
        "rmsprop",
        lambda w: torch.optim.RMSprop([w], alpha=0.9, eps=NEARLY_NONE),
    ),
    "adam": (
        partial(adam_, **MOMENTS),
        "adam",
        lambda w: torch.optim.Adam([w], betas=(0.9, 0.99)),
    ),
    "adamax": (
        partial(adamax_, beta2=0.99, eps=NEARLY_NONE),
        "adamax",
        lambda w: torch.optim.Adamax([w], betas=(0.9, 0.99), eps=NEARLY_NONE),
    ),
    "radam": (
        partial(radam_, **MOMENTS),
        "radam",
        lambda w: torch.optim.RAdam([w], betas=(0.9, 0.99), eps=1e-4),
    ),
}


@pytest.mark.parametrize("name", OF_TORCH)
def test_it_is_torchs_at_constant_momentum(name: str) -> None:
    update, slots, make = OF_TORCH[name]
    found = follow(update, memory(slots), start(), momenta=[0.9] * UPDATES)
    torch.testing.assert_close(found, torchs(make), rtol=1e-11, atol=0)


def test_rmsprops_momentum_is_torchs_at_a_constant_rate_and_only_then() -> None:
    def ours(rates: list[float]) -> Tensor:
        update = partial(rmsprop_, rho=0.9, eps=NEARLY_NONE)
        slots = memory("rmsprop with momentum")
        return follow(update, slots, start(), rates=rates, momenta=[0.9] * UPDATES)

    def theirs(rates: list[float]) -> Tensor:
        return torchs(
            lambda w: torch.optim.RMSprop([w], alpha=0.9, eps=NEARLY_NONE, momentum=0.9), rates
        )

    constant = [0.02] * UPDATES
    torch.testing.assert_close(ours(constant), theirs(constant), rtol=1e-11, atol=0)
    assert not torch.allclose(ours(RATES), theirs(RATES), rtol=1e-3)


def test_adam_after_shrinking_is_torchs_adamw() -> None:
    adam: Callable[..., None] = partial(adam_, **MOMENTS)

    def adamw_(weights: list[Tensor], *rest: Any, lr: float, **others: Any) -> None:
        for piece in weights:
            piece.mul_(1 - lr * 0.1)
        adam(weights, *rest, lr=lr, **others)

    found = follow(adamw_, memory("adam"), start(), momenta=[0.9] * UPDATES)
    theirs = torchs(lambda w: torch.optim.AdamW([w], betas=(0.9, 0.99), weight_decay=0.1))
    torch.testing.assert_close(found, theirs, rtol=1e-11, atol=0)


# --- far from the start, and close to it -----------------------------------------------------


@pytest.mark.parametrize("name", ["adam", "adamax", "radam"])
def test_after_many_updates_nothing_is_left_to_correct(name: str) -> None:
    """Means at rest at g and g² = 4: the step is lr * 2 / (2 + eps), eps 1e-4."""
    slots = memory(name)
    slots["mean"][0] += 2.0
    slots[CASES[name][2][1]][0] += 2.0 if name == "adamax" else 4.0
    slots["momentum_product"][0].fill_(5e-324)  # the smallest number there is
    weights = torch.zeros(3, dtype=torch.float64)
    slots = {key: values[:1] for key, values in slots.items()}
    twos = torch.full_like(weights, 2.0)
    CASES[name][0]([weights], [twos], slots, lr=0.1, momentum=0.9, step=10**9)
    expected = torch.full_like(weights, -0.1 * 2 / (2 + 1e-4))
    torch.testing.assert_close(weights, expected, rtol=1e-12, atol=0)


def test_radam_with_a_short_memory_never_divides() -> None:
    """With beta2 0.5 an average is never longer than 2 / (1 - 0.5) - 1 = 3 gradients."""
    slots = memory("radam")
    weights = start()
    for step in range(50):
        before = weights.clone()
        threes = [torch.full_like(piece, 3.0) for piece in in_pieces()]
        pieces = list(torch.split(weights, [3, 4]))
        radam_(pieces, threes, slots, lr=0.1, momentum=0.9, step=step, beta2=0.5, eps=1e-7)
        expected = torch.full_like(weights, 0.1 * 3)
        torch.testing.assert_close(before - weights, expected, rtol=1e-12, atol=0)
