"""One function per optimizer: it changes the weights, given their gradient.

All parameters of a net lie in one vector, cut into a few pieces (each large parameter is one, all
between two large ones is another), so an update is a handful of operations however many layers
there are. `weights`, `gradients` and each slot (a memory that the optimizer keeps per weight) are
lists with one vector a piece; a slot that is a single number is a list of one scalar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

Pieces = Sequence[Tensor]
Slots = dict[str, list[Tensor]]


class Update(Protocol):
    """Applies one update in place. `step` counts the updates applied before this one.

    What the gradients hold afterwards is undefined.
    """

    def __call__(
        self,
        weights: Pieces,
        gradients: Pieces,
        slots: Slots,
        *,
        lr: float,
        momentum: float,
        step: int,
    ) -> None: ...


def sgd_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
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
    lr * buffer). The two agree while lr is constant and differ under a schedule: the chapter's
    form, used here, gives every gradient the rate it was taken at. torch's fused kernel computes
    exactly that if it is given the gradient times lr and a rate of 1; its buffer is then -m. It
    makes one pass over memory where plain operations would make four.
    """
    velocity = slots.get("velocity")
    if velocity is None:
        for piece, gradient in zip(weights, gradients, strict=True):
            piece.add_(gradient, alpha=-lr)
        return
    for gradient in gradients:
        gradient.mul_(lr)
    if momentum == 0:  # the kernel then takes no buffer; a schedule may raise the momentum again
        for piece, gradient, buffer in zip(weights, gradients, velocity, strict=True):
            buffer.copy_(gradient)
            piece.sub_(gradient)
        return
    torch._fused_sgd_(
        list(weights),
        list(gradients),
        velocity,
        lr=1.0,
        momentum=momentum,
        dampening=0.0,
        weight_decay=0.0,
        nesterov=nesterov,
        maximize=False,
        is_first_step=False,
    )


def nadam_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
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

    `momentum` is beta1. The slot `momentum_product` (a scalar, float64, on the CPU) holds
    mu_1...mu_t, since a schedule may cycle beta1 and a closed form would then be wrong.
    """
    t = step + 1

    def mu(update: int) -> float:
        return momentum * (1 - 0.5 * math.pow(0.96, update * momentum_decay))

    product = slots["momentum_product"][0].mul_(mu(t)).item()
    of_mean = -lr * mu(t + 1) / (1 - product * mu(t + 1))
    of_gradient = -lr * (1 - mu(t)) / (1 - product)
    for piece, gradient, mean, square in zip(
        weights, gradients, slots["mean"], slots["square"], strict=True
    ):
        mean.lerp_(gradient, 1 - momentum)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (square / (1 - beta2**t)).sqrt_().add_(eps)
        piece.addcdiv_(mean, root, value=of_mean)
        piece.addcdiv_(gradient, root, value=of_gradient)
