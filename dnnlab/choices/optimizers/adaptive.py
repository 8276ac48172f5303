"""Optimizers that give every weight a rate of its own, by the size of its gradients."""

from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.optimizers import Optimizer
from dnnlab.spec import Decay, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from dnnlab.kernels.optimizers import Update


class Nadam(Optimizer):
    """Adam with Nesterov momentum: a rate of its own for every weight, and a look ahead.

        m <- beta1 * m + (1 - beta1) * g;   v <- beta2 * v + (1 - beta2) * g²
        w <- w - lr * (mu_(t+1) * m^ + (1 - mu_t) * g^) / (sqrt(v^) + eps)
        mu_t = beta1 * (1 - 0.5 * 0.96^(t * momentum_decay)), ^ = corrected for the start at 0

    Source: Dozat, 2016, 'Incorporating Nesterov momentum into Adam', algorithm 8.
    Keras: eps the same; its learning rate too. PyTorch: lr 2e-3 and eps 1e-8 by default.
    """

    name: Literal["nadam"] = "nadam"
    rescales: ClassVar[bool] = True
    lr: Positive = 1e-3
    """Learning rate; under a schedule, its highest value."""
    beta1: Decay = 0.9
    """Decay of the mean of gradients: the momentum."""
    beta2: Decay = 0.999
    """Decay of the mean of squared gradients."""
    eps: Positive = 1e-7
    """Added to the root, after the correction for the start."""
    momentum_decay: Positive = 0.004
    """How fast the momentum warms up; 0.004 is the paper's, 1 reaches beta1 within 100 updates."""

    @property
    def own_momentum(self) -> float | None:
        """The momentum that a schedule may cycle, or None where there is none."""
        return self.beta1 or None

    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""
        import torch

        return {
            "mean": torch.zeros_like(weights),
            "square": torch.zeros_like(weights),
            "momentum_product": torch.ones((), dtype=torch.float64),
        }

    def build(self) -> "Update":
        """Returns the function that applies one update."""
        from dnnlab.kernels.optimizers import nadam_

        return partial(nadam_, beta2=self.beta2, eps=self.eps, momentum_decay=self.momentum_decay)
