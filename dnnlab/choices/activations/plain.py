"""Activations of one symbol: the identity and the exponential."""

from typing import TYPE_CHECKING, Literal

from dnnlab.choices.activations import Activation

if TYPE_CHECKING:
    from torch import nn


class Linear(Activation):
    """The weighted sum as it is: layers without anything else between them are one layer.

        linear(z) = z

    Source: none needed.
    Keras: linear, what a layer has if nothing is said. PyTorch: Identity.
    """

    name: Literal["linear"] = "linear"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Identity()


class Exponential(Activation):
    """The exponential: positive, and soon beyond all bounds.

        exponential(z) = exp(z)

    A sum of 89 overflows in float32.
    Source: none needed.
    Keras: exponential, the same. PyTorch: the function exp, no module.
    """

    name: Literal["exponential"] = "exponential"

    def build(self, units: int) -> "nn.Module":
        """Returns the module."""
        from dnnlab.kernels.activations import Exponential

        return Exponential()
