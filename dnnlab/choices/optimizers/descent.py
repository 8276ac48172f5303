"""Gradient descent: one learning rate for all weights."""

from functools import partial
from typing import TYPE_CHECKING, Literal

from dnnlab.choices.optimizers import Optimizer
from dnnlab.spec import Decay, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from dnnlab.kernels.optimizers import Update


class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum and Nesterov's correction where asked for.

        m <- momentum * m - lr * g;   w <- w + m
        nesterov: w <- w + momentum * m - lr * g

    Source: Polyak, 1964; Nesterov, 1983, in the form of Sutskever et al., 2013; the chapter.
    Keras: the same. PyTorch: lr stands outside the sum, which differs as soon as lr changes.
    """

    name: Literal["sgd"] = "sgd"
    lr: Positive = 0.01
    """Learning rate; under a schedule, its highest value."""
    momentum: Decay = 0.0
    """How much of the last step is kept: 0.9 goes 10 times further in a steady direction."""
    nesterov: bool = False
    """Take the gradient slightly ahead, in the direction of the momentum."""

    @property
    def own_momentum(self) -> float | None:
        """The momentum that a schedule may cycle, or None where there is none."""
        return self.momentum or None

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""
        import torch

        return {"velocity": torch.zeros_like(weights)} if self.momentum else {}

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import sgd_

        return partial(sgd_, nesterov=self.nesterov)
