"""Optimizers with one size of step for all weights: along the gradient, or along its signs."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.optimizers import Optimizer
from dnnlab.spec import Decay, NonNegative, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from dnnlab.kernels.optimizers import Update


class Sgd(Optimizer):
    """Stochastic gradient descent, with momentum and Nesterov's correction where asked for.

        m <- momentum * m - lr * g;   w <- w + m
        nesterov: w <- w + momentum * m - lr * g
        weight decay, before it: kernel <- (1 - lr * weight_decay) * kernel

    Weight decay is decoupled from the gradient (SGDW). Without momentum and clipping it does what
    the penalty l2: weight_decay / 2 does.

    Source: Polyak, 1964; Nesterov, 1983, in the form of Sutskever et al., 2013; the chapter. Weight
    decay: Loshchilov and Hutter, 2019, algorithm 1.
    Keras: the same; its weight decay takes biases too. PyTorch: lr stands outside the sum, which
    differs as soon as lr changes; lr 1e-3 by default; its weight_decay is added to the gradient of
    all parameters, as l2: weight_decay / 2 is to that of kernels.
    """

    name: Literal["sgd"] = "sgd"
    usual_lr: ClassVar[float] = 0.01
    lr: Positive = 0.01
    """Learning rate; under a schedule, its highest value."""
    momentum: Decay = 0.0
    """How much of the last step is kept: 0.9 goes 10 times further in a steady direction."""
    nesterov: bool = False
    """Take the gradient slightly ahead, in the direction of the momentum."""
    weight_decay: NonNegative = 0.0
    """Before each update kernels shrink by lr times this; biases and norms do not."""

    @property
    def own_momentum(self) -> float | None:
        """The momentum that a schedule may cycle, or None where there is none."""
        return self.momentum or None

    @property
    def decay(self) -> float:
        """Decoupled weight decay: before each update, kernels shrink by lr times this."""
        return self.weight_decay

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""
        import torch

        return {"velocity": torch.zeros_like(weights)} if self.momentum else {}

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import sgd_

        return partial(sgd_, nesterov=self.nesterov)


class Lion(Optimizer):
    """Steps of the same length for every weight, against the sign of an averaged gradient.

        w <- w - lr * sign(beta1 * m + (1 - beta1) * g)
        m <- beta2 * m + (1 - beta2) * g

    Every step moves a weight by lr, so lr is to be 3 to 10 times below Adam's and weight_decay as
    many times above it.

    Source: Chen et al., 2023, 'Symbolic discovery of optimization algorithms', algorithm 2; lr is
    that of the authors' program.
    Keras: the same but for lr 1e-3; its weight decay takes biases too. PyTorch: none.
    """

    name: Literal["lion"] = "lion"
    rescales: ClassVar[bool] = True
    usual_lr: ClassVar[float] = 1e-4
    lr: Positive = 1e-4
    """Learning rate; under a schedule, its highest value."""
    beta1: Decay = 0.9
    """How much of the direction is the mean of gradients, and not the present one: the momentum."""
    beta2: Decay = 0.99
    """Decay of the mean of gradients."""
    weight_decay: NonNegative = 0.0
    """Before each update kernels shrink by lr times this; biases and norms do not."""

    @property
    def own_momentum(self) -> float | None:
        """The momentum that a schedule may cycle, or None where there is none."""
        return self.beta1 or None

    @property
    def decay(self) -> float:
        """Decoupled weight decay: before each update, kernels shrink by lr times this."""
        return self.weight_decay

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""
        import torch

        return {"mean": torch.zeros_like(weights)}

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import lion_

        return partial(lion_, beta2=self.beta2)
