"""Optimizers: how a gradient becomes a change of the weights.

To add one: write its class in a file of this folder, its arithmetic in `kernels/optimizers.py`, and
name it in `members`.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from dnnlab.spec import Choice, Positive

if TYPE_CHECKING:
    from torch import Tensor

    from dnnlab.kernels.optimizers import Update


class Optimizer(Choice):
    """What every optimizer has. Abstract."""

    family: ClassVar[str] = "optimizer"
    members: ClassVar[dict[str, str]] = {
        "sgd": "descent.Sgd",
        "adagrad": "scaled.AdaGrad",
        "adadelta": "scaled.AdaDelta",
        "rmsprop": "scaled.RmsProp",
        "adam": "adaptive.Adam",
        "adamax": "adaptive.AdaMax",
        "nadam": "adaptive.Nadam",
        "adamw": "adaptive.AdamW",
        "radam": "adaptive.RAdam",
        "lion": "descent.Lion",
    }
    usual_lr: ClassVar[float]
    """The rate that its literature starts from: one that is far above it asks for trouble."""
    rescales: ClassVar[bool] = False
    """Whether each weight's step is divided by the size of its gradients."""

    lr: Positive
    """Learning rate; under a schedule, its highest value."""

    @property
    def own_momentum(self) -> float | None:
        """The momentum that a schedule may cycle, or None where there is none."""
        return None

    @property
    def decay(self) -> float:
        """Decoupled weight decay: before each update, kernels shrink by lr times this."""
        return 0.0

    @abstractmethod
    def slots(self, weights: "Tensor") -> "dict[str, Tensor]":
        """Returns what the optimizer remembers, as it is before the first update."""

    @abstractmethod
    def build(self) -> "Update":
        """Returns the function that applies one update."""
