"""Rectifiers: the identity where z is positive, little or nothing elsewhere."""

from typing import TYPE_CHECKING, Literal

from dnnlab.choices.activations import Activation
from dnnlab.choices.initializers import Initializer

if TYPE_CHECKING:
    from torch import nn


class Relu(Activation):
    """Rectified linear unit.

        relu(z) = max(0, z)

    Units whose z is negative for every input stop learning ('dying ReLU').
    Source: Nair and Hinton, 2010; Glorot, Bordes and Bengio, 2011.
    Keras and PyTorch: the same.
    """

    name: Literal["relu"] = "relu"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.ReLU()

    def initializer(self) -> Initializer:
        """Returns He's."""
        return Initializer.named("he_normal")
