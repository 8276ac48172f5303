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


def lion_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
    *,
    lr: float,
    momentum: float,
    step: int,
    beta2: float,
) -> None:
    """Applies Lion (Chen et al. 2023, algorithm 2); `momentum` is beta1:

    weights <- weights - lr * sign(beta1 * m + (1 - beta1) * g)
    m <- beta2 * m + (1 - beta2) * g
    """
    for piece, gradient, mean in zip(weights, gradients, slots["mean"], strict=True):
        direction = mean.lerp(gradient, 1 - momentum).sign_()
        mean.lerp_(gradient, 1 - beta2)
        piece.add_(direction, alpha=-lr)


def adagrad_(
    weights: Pieces, gradients: Pieces, slots: Slots, *, lr: float, momentum: float, step: int
) -> None:
    """Applies AdaGrad (Duchi et al. 2011):

        s <- s + g²;   weights <- weights - lr * g / sqrt(s)

    The eps of Keras and of the chapter, sqrt(s + eps), is in the slot `squares` from the start:
    what is added to the sum at every update need only be added once.
    """
    for piece, gradient, squares in zip(weights, gradients, slots["squares"], strict=True):
        squares.addcmul_(gradient, gradient)
        piece.addcdiv_(gradient, squares.sqrt(), value=-lr)


def adadelta_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
    *,
    lr: float,
    momentum: float,
    step: int,
    rho: float,
    eps: float,
) -> None:
    """Applies AdaDelta (Zeiler 2012, algorithm 1), whose steps are scaled by those before them:

    s <- rho * s + (1 - rho) * g²;   d = g * sqrt(c + eps) / sqrt(s + eps)
    c <- rho * c + (1 - rho) * d²;   weights <- weights - lr * d
    """
    for piece, gradient, square, change in zip(
        weights, gradients, slots["square"], slots["change"], strict=True
    ):
        square.mul_(rho).addcmul_(gradient, gradient, value=1 - rho)
        ratio = change.add(eps).div_(square.add(eps)).sqrt_()
        moved = gradient.mul_(ratio)
        change.mul_(rho).addcmul_(moved, moved, value=1 - rho)
        piece.sub_(moved, alpha=lr)


def rmsprop_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
    *,
    lr: float,
    momentum: float,
    step: int,
    rho: float,
    eps: float,
) -> None:
    """Applies RMSProp (Tieleman and Hinton 2012, lecture 6.5), with momentum if there is a slot:

        s <- rho * s + (1 - rho) * g²
        m <- momentum * m - lr * g / sqrt(s + eps);   weights <- weights + m

    As in `sgd_`, every gradient keeps the rate it was taken at; torch's lr stands outside the sum.
    """
    velocity = slots.get("velocity")
    for index, (piece, gradient, square) in enumerate(
        zip(weights, gradients, slots["square"], strict=True)
    ):
        square.mul_(rho).addcmul_(gradient, gradient, value=1 - rho)
        root = square.add(eps).sqrt_()
        if velocity is None:
            piece.addcdiv_(gradient, root, value=-lr)
        else:
            piece.add_(velocity[index].mul_(momentum).addcdiv_(gradient, root, value=-lr))


def adam_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
    *,
    lr: float,
    momentum: float,
    step: int,
    beta2: float,
    eps: float,
) -> None:
    """Applies Adam (Kingma and Ba 2015, in the form at the end of section 2), t = step + 1:

        m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g²
        weights <- weights - lr * sqrt(1 - beta2^t) / (1 - b_t) * m / (sqrt(v) + eps)

    `momentum` is beta1, and b_t the product of those so far (see `_mean_falls_short_by`). In
    algorithm 1 of the paper and in torch eps is added after the correction, to sqrt(v / (1 -
    beta2^t)): the two are the same if theirs is eps / sqrt(1 - beta2^t).
    """
    correction = math.sqrt(1 - beta2 ** (step + 1)) / (1 - _mean_falls_short_by(slots, momentum))
    _by_both_moments_(
        weights, gradients, slots, lr=lr * correction, beta1=momentum, beta2=beta2, eps=eps
    )


def radam_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
    *,
    lr: float,
    momentum: float,
    step: int,
    beta2: float,
    eps: float,
) -> None:
    """Applies rectified Adam (Liu et al. 2020, algorithm 2), t = step + 1:

        length_t = longest - 2 * t * beta2^t / (1 - beta2^t);   longest = 2 / (1 - beta2) - 1
        length_t > 5: Adam's update times sqrt(r(length_t) / r(longest)), r(l) = (l - 4)(l - 2) / l
        before that:  weights <- weights - lr * m / (1 - b_t)

    The paper's text begins at 4; the authors' program and torch begin at 5, as here, because the
    formula is an approximation that is poor for short averages.
    """
    t = step + 1
    lr = lr / (1 - _mean_falls_short_by(slots, momentum))
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    if length > 5:
        rectified = ((length - 4) * (length - 2) / length) / (
            (longest - 4) * (longest - 2) / longest
        )
        lr = lr * math.sqrt(rectified * (1 - beta2**t))
        _by_both_moments_(weights, gradients, slots, lr=lr, beta1=momentum, beta2=beta2, eps=eps)
        return
    for piece, gradient, mean, square in zip(
        weights, gradients, slots["mean"], slots["square"], strict=True
    ):
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        piece.add_(mean.lerp_(gradient, 1 - momentum), alpha=-lr)


def adamax_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
    *,
    lr: float,
    momentum: float,
    step: int,
    beta2: float,
    eps: float,
) -> None:
    """Applies AdaMax (Kingma and Ba 2015, algorithm 2): Adam with the largest of the gradients.

        m <- beta1 * m + (1 - beta1) * g;   u <- max(beta2 * u, |g|)
        weights <- weights - lr / (1 - b_t) * m / (u + eps)

    `momentum` is beta1 and b_t the product of those so far. The paper has no eps; torch adds it to
    |g| before the maximum is taken.
    """
    lr = lr / (1 - _mean_falls_short_by(slots, momentum))
    for piece, gradient, mean, largest in zip(
        weights, gradients, slots["mean"], slots["largest"], strict=True
    ):
        mean.lerp_(gradient, 1 - momentum)
        torch.maximum(largest.mul_(beta2), gradient.abs_(), out=largest)
        piece.addcdiv_(mean, largest.add(eps), value=-lr)


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


def _mean_falls_short_by(slots: Slots, beta1: float) -> float:
    """Returns b_t, the product of beta1 over all updates so far, and remembers it.

    The gradients in the moving average m have weights that sum to 1 - b_t, since it began at 0. At
    a constant beta1, b_t is beta1^t; a schedule may cycle beta1, and then only the product is right
    (torch takes the present beta1 to the power t). It is kept in the slot `momentum_product`, a
    scalar, float64, on the CPU.
    """
    return slots["momentum_product"][0].mul_(beta1).item()


def _by_both_moments_(
    weights: Pieces,
    gradients: Pieces,
    slots: Slots,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """Moves both averages and applies weights <- weights - lr * m / (sqrt(v) + eps).

    torch's fused kernel does it in one pass over memory where plain operations make five. It would
    correct for the start by powers of its betas: told that infinitely many updates went before, it
    has nothing to correct.
    """
    never_began = torch.full((), math.inf, device=weights[0].device)
    torch._fused_adam_(
        list(weights),
        list(gradients),
        slots["mean"],
        slots["square"],
        [],
        [never_began] * len(weights),
        lr=lr,
        beta1=beta1,
        beta2=beta2,
        weight_decay=0.0,
        eps=eps,
        amsgrad=False,
        maximize=False,
    )
