"""Activations: what a unit does with its weighted sum z.

To add one: write its class in a file of this folder and name it in `members`.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from dnnlab.choices.initializers import Initializer
from dnnlab.spec import Choice

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.kernels.network import Fill


class Activation(Choice):
    """What every activation can do. Abstract."""

    family: ClassVar[str] = "activation"
    members: ClassVar[dict[str, str]] = {
        "linear": "plain.Linear",
        "relu": "rectified.Relu",
        "leaky_relu": "rectified.LeakyRelu",
        "rrelu": "rectified.RandomizedRelu",
        "prelu": "rectified.ParametricRelu",
        "thresholded_relu": "rectified.ThresholdedRelu",
        "elu": "smooth.Elu",
        "selu": "smooth.Selu",
        "gelu": "smooth.Gelu",
        "swish": "smooth.Swish",
        "mish": "smooth.Mish",
        "hard_swish": "smooth.HardSwish",
        "sigmoid": "sigmoid.Sigmoid",
        "hard_sigmoid": "sigmoid.HardSigmoid",
        "tanh": "sigmoid.Tanh",
        "softplus": "smooth.Softplus",
        "softsign": "sigmoid.Softsign",
        "exponential": "plain.Exponential",
        "softmax": "softmax.Softmax",
        "log_softmax": "softmax.LogSoftmax",
    }
    saturates: ClassVar[bool] = False
    """Whether it is flat at both ends, so that gradients vanish on their way through many."""

    @abstractmethod
    def build(self, units: int) -> "nn.Module":
        """Returns the torch module for inputs (B, units) or (B, units, height, width)."""

    def initial(self) -> "dict[str, Fill]":
        """Returns how the module's own parameters begin, by name; most have none."""
        return {}

    def initializer(self) -> Initializer:
        """Returns what `initializer: auto` means before this activation: Glorot for most."""
        return Initializer.named("glorot_uniform")
