"""One function per optimizer: it changes the weights, given their gradient. Flat vectors throughout.

All parameters of a net lie in one vector, their gradients in another, and so does each slot (a
memory that the optimizer keeps per weight). So an update is a handful of operations however many
layers there are. `weights`, `gradient` and vector slots have shape (P,), P parameters.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor


class Update(Protocol):
    """Applies one update in place. `step` counts the updates applied before this one."""

    def __call__(
        self,
        weights: Tensor,
        gradient: Tensor,
        slots: dict[str, Tensor],
        *,
        lr: float,
        momentum: float,
        step: int,
    ) -> None: ...


def sgd_(
    weights: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    *,
    lr: float,
    momentum: float,
    step: int,
    nesterov: bool,
) -> None:
    """Applies gradient descent with momentum, in the form of Polyak and of the chapter.

        m <- momentum * m - lr * gradient;   weights <- weights + m

    With `nesterov` the weights kept are those at which the gradient is taken, ahead of the ball:

        weights <- weights + momentum * m - lr * gradient

    torch's SGD has lr outside the sum (buffer <- momentum * buffer + gradient; weights <- weights -
    lr * buffer). The two agree while lr is constant and differ under a schedule: there the chapter's
    form, used here, gives every gradient the rate it was taken at. torch's fused kernel computes
    exactly this form when the gradient comes to it scaled by lr and its own rate is 1; its buffer
    is then -m. One pass over memory in place of four. It leaves the scaled gradient behind.
    """
    velocity = slots.get("velocity")
    if velocity is None:
        weights.add_(gradient, alpha=-lr)
        return
    gradient.mul_(lr)
    torch._fused_sgd_(
        [weights],
        [gradient],
        [velocity],
        lr=1.0,
        momentum=momentum,
        dampening=0.0,
        weight_decay=0.0,
        nesterov=nesterov,
        maximize=False,
        is_first_step=False,
    )


def nadam_(
    weights: Tensor,
    gradient: Tensor,
    slots: dict[str, Tensor],
    *,
    lr: float,
    momentum: float,
    step: int,
    beta2: float,
    eps: float,
    momentum_decay: float,
) -> None:
    """Applies Adam with Nesterov momentum (Dozat 2016, algorithm 8), t = step + 1:

        mu_t = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay))
        m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g²
        m^ = mu_(t+1) * m / (1 - mu_1...mu_(t+1)) + (1 - mu_t) * g / (1 - mu_1...mu_t)
        weights <- weights - lr * m^ / (sqrt(v / (1 - beta2^t)) + eps)

    `momentum` is beta1. The slot `momentum_product` (a scalar, float64) holds mu_1...mu_t, since a
    schedule may cycle beta1 and a closed form would then be wrong.
    """
    t = step + 1

    def mu(update: int) -> float:
        return momentum * (1 - 0.5 * math.pow(0.96, update * momentum_decay))

    product = slots["momentum_product"].mul_(mu(t))
    done = float(product)
    mean, square = slots["mean"], slots["square"]
    mean.lerp_(gradient, 1 - momentum)
    square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    root = (square / (1 - beta2**t)).sqrt_().add_(eps)
    weights.addcdiv_(mean, root, value=-lr * mu(t + 1) / (1 - done * mu(t + 1)))
    weights.addcdiv_(gradient, root, value=-lr * (1 - mu(t)) / (1 - done))
