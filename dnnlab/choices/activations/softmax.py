"""Activations that look at all units of a layer: their outputs are shares of a whole.

Losses have their own softmax inside: nets end in logits, and these are for hidden layers.
"""

from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.activations import Activation

if TYPE_CHECKING:
    from torch import nn


class Softmax(Activation):
    """Positive shares that add up to 1 over the units of a layer, or its feature maps.

        softmax(z)_i = exp(z_i) / sum_j exp(z_j)

    Source: Bridle, 1990.
    Keras: over the last axis, which holds the channels there; the same. PyTorch: Softmax(dim=1).
    """

    name: Literal["softmax"] = "softmax"
    saturates: ClassVar[bool] = True

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Softmax(dim=1)


class LogSoftmax(Activation):
    """The logarithm of softmax over the units of a layer, or its feature maps.

        log_softmax(z)_i = z_i - log(sum_j exp(z_j))

    Source: Bridle, 1990.
    Keras: over the last axis, which holds the channels there; the same. PyTorch: LogSoftmax(dim=1).
    """

    name: Literal["log_softmax"] = "log_softmax"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.LogSoftmax(dim=1)
