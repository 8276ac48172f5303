"""Optimizers that divide every gradient by the size of those before it, weight by weight."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.optimizers import Optimizer
from dnnlab.spec import Decay, NonNegative, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from dnnlab.kernels.optimizers import Update


class AdaGrad(Optimizer):
    """A rate for every weight that falls with all the gradients it has seen.

        s <- s + g²;   w <- w - lr * g / sqrt(s + eps)

    On a deep net the rates often fall too early; it suits sparse inputs.

    Source: Duchi, Hazan and Singer, 2011, section 1.1 (eps as in the chapter).
    Keras: the same. PyTorch: lr 1e-2; s begins at 0, so that the first step is lr * sign(g); eps
    1e-10, added to the root.
    """

    name: Literal["adagrad"] = "adagrad"
    rescales: ClassVar[bool] = True
    usual_lr: ClassVar[float] = 0.01
    lr: Positive = 1e-3
    """Learning rate; under a schedule, its highest value."""
    initial_accumulator: NonNegative = 0.1
    """The sum of squares before the first update; above 0 it keeps the first steps short."""
    eps: Positive = 1e-7
    """Added to the sum of squares, inside the root."""

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""
        import torch

        return {"squares": torch.full_like(weights, self.initial_accumulator + self.eps)}

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import adagrad_

        return adagrad_


class AdaDelta(Optimizer):
    """Steps as long as those before them, scaled by the gradient over the size of recent ones.

        s <- rho * s + (1 - rho) * g²;   d = g * sqrt(c + eps) / sqrt(s + eps)
        c <- rho * c + (1 - rho) * d²;   w <- w - lr * d

    The paper has no learning rate, which is lr 1. Steps begin near sqrt(eps) and grow from there.

    Source: Zeiler, 2012, 'ADADELTA: an adaptive learning rate method', algorithm 1.
    Keras: lr 1e-3, which makes the paper's steps a thousand times shorter. PyTorch: lr 1 too, rho
    0.9 and eps 1e-6.
    """

    name: Literal["adadelta"] = "adadelta"
    rescales: ClassVar[bool] = True
    usual_lr: ClassVar[float] = 1.0
    lr: Positive = 1.0
    """Learning rate; under a schedule, its highest value."""
    rho: Decay = 0.95
    """Decay of the means of squared gradients and squared steps."""
    eps: Positive = 1e-7
    """Added to both means, inside the roots; the paper has 1e-6."""

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""
        import torch

        return {"square": torch.zeros_like(weights), "change": torch.zeros_like(weights)}

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import adadelta_

        return partial(adadelta_, rho=self.rho, eps=self.eps)


class RmsProp(Optimizer):
    """AdaGrad with a memory that fades: only recent gradients set a weight's rate.

        s <- rho * s + (1 - rho) * g²
        m <- momentum * m - lr * g / sqrt(s + eps);   w <- w + m

    Source: Tieleman and Hinton, 2012, Coursera lecture 6.5; momentum after Graves, 2013.
    Keras: the same; it also has `centered`. PyTorch: lr 1e-2, rho (its alpha) 0.99; eps 1e-8, added
    to the root; lr stands outside the sum of its momentum, which differs as soon as lr changes.
    """

    name: Literal["rmsprop"] = "rmsprop"
    rescales: ClassVar[bool] = True
    usual_lr: ClassVar[float] = 1e-3
    lr: Positive = 1e-3
    """Learning rate; under a schedule, its highest value."""
    rho: Decay = 0.9
    """Decay of the mean of squared gradients."""
    momentum: Decay = 0.0
    """How much of the last step is kept."""
    eps: Positive = 1e-7
    """Added to the mean of squares, inside the root."""

    @property
    def own_momentum(self) -> float | None:
        """The momentum that a schedule may cycle, or None where there is none."""
        return self.momentum or None

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""
        import torch

        kept = ("square", "velocity") if self.momentum else ("square",)
        return {name: torch.zeros_like(weights) for name in kept}

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import rmsprop_

        return partial(rmsprop_, rho=self.rho, eps=self.eps)
