"""Smooth relatives of the rectifier: bounded below, not cut off."""

from typing import TYPE_CHECKING, Literal

from dnnlab.choices.activations import Activation
from dnnlab.choices.initializers import Initializer
from dnnlab.spec import Positive

if TYPE_CHECKING:
    from torch import nn


class Elu(Activation):
    """Exponential linear unit: smooth, with a mean activation near 0.

        elu(z) = z if z > 0, else alpha * (exp(z) - 1)

    Source: Clevert, Unterthiner and Hochreiter, 2015, equation 15.
    Keras and PyTorch: the same.
    """

    name: Literal["elu"] = "elu"
    alpha: Positive = 1.0
    """The value approached for very negative z is -alpha."""

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.ELU(alpha=self.alpha)

    def initializer(self) -> Initializer:
        """Returns He's, as the chapter does."""
        return Initializer.named("he_normal")


class Selu(Activation):
    """Scaled exponential linear unit: in a plain stack, activations keep mean 0 and variance 1.

        selu(z) = 1.0507 * (z if z > 0, else 1.6733 * (exp(z) - 1))

    Self-normalizing only with standardized inputs, LeCun normal weights, a plain stack of dense
    layers, and none of l1, l2, max-norm, ordinary dropout (use kind: alpha) or batch norm.
    Source: Klambauer, Unterthiner, Mayr and Hochreiter, 2017, section 'SELU' and theorem 1.
    Keras and PyTorch: the same constants, to 16 digits.
    """

    name: Literal["selu"] = "selu"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.SELU()

    def initializer(self) -> Initializer:
        """Returns LeCun's."""
        return Initializer.named("lecun_normal")
