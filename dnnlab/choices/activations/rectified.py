"""Rectifiers: the identity where z is positive, little or nothing elsewhere."""

import math
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from dnnlab.choices.activations import Activation
from dnnlab.choices.initializers import Initializer
from dnnlab.spec import NonNegative, Share

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.kernels.network import Fill


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


class LeakyRelu(Activation):
    """ReLU that leaks: a small slope for negative z, so that no unit dies.

        leaky_relu(z) = z if z > 0, else slope * z

    The chapter finds 0.2, a big leak, often better than 0.01.
    Source: Maas, Hannun and Ng, 2013; Xu et al., 2015, for large slopes.
    Keras: the layer LeakyReLU has slope 0.3, the function leaky_relu 0.2. PyTorch: 0.01.
    """

    name: Literal["leaky_relu"] = "leaky_relu"
    slope: Share = 0.01
    """The slope where z is negative."""

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.LeakyReLU(self.slope)

    def initializer(self) -> Initializer:
        """Returns He's, for this slope."""
        return Initializer.named("he_normal", slope=self.slope)


class RandomizedRelu(Activation):
    """Leaky ReLU with a slope drawn anew for each number in training; it regularizes a little.

        rrelu(z) = z if z > 0, else slope * z;   slope uniform between lower and upper in training,
                                                 (lower + upper) / 2 in evaluation

    Source: Xu, Wang, Chen and Li, 2015, section 2.4, where z is divided by a number between 3 and
    8; a uniform slope is what torch made of it.
    Keras: none. PyTorch: RReLU, the same law; on the CPU it draws for negative z alone, one by one.
    """

    name: Literal["rrelu"] = "rrelu"
    lower: Share = 1 / 8
    """The smallest slope."""
    upper: Share = 1 / 3
    """The largest slope."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"lower, {self.lower:g}, is more than upper, {self.upper:g}")
        return self

    def build(self, units: int) -> "nn.Module":
        """Returns the module."""
        from dnnlab.kernels.activations import RandomizedRelu

        return RandomizedRelu(self.lower, self.upper)

    def initializer(self) -> Initializer:
        """Returns He's, for the root of the mean squared slope: squares are what variance sees."""
        mean_square = (self.lower**2 + self.lower * self.upper + self.upper**2) / 3
        return Initializer.named("he_normal", slope=math.sqrt(mean_square))


class ParametricRelu(Activation):
    """Leaky ReLU whose slope is learned with the weights; l1, l2 and max_norm leave it alone.

        prelu(z) = z if z > 0, else slope * z

    Best where there is much data: on little it overfits.
    Source: He, Zhang, Ren and Sun, 2015, section 2.1, whose slopes begin at 0.25, undecayed.
    Keras: PReLU has a slope per element of its input, not per feature map, and begins at 0.
    PyTorch: PReLU, the same, one slope unless told otherwise.
    """

    name: Literal["prelu"] = "prelu"
    slopes: Literal["one", "per_unit"] = "one"
    """One for the layer, or one per unit (in a convolution per feature map)."""
    start: Share = 0.25
    """The slope before training."""

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module; its parameter is `weight`."""
        from torch import nn

        return nn.PReLU(units if self.slopes == "per_unit" else 1)

    def initial(self) -> "dict[str, Fill]":
        """Returns how the slopes begin."""
        from dnnlab.kernels.initializers import constant

        return {"weight": constant(self.start)}

    def initializer(self) -> Initializer:
        """Returns He's, for the slope before training."""
        return Initializer.named("he_normal", slope=self.start)


class ThresholdedRelu(Activation):
    """ReLU with a higher threshold: whatever does not exceed theta is 0.

        thresholded_relu(z) = z if z > theta, else 0

    Source: Konda, Memisevic and Krueger, 2015.
    Keras: ThresholdedReLU in Keras 2, theta 1; `threshold` in Keras 3. PyTorch: Threshold.
    """

    name: Literal["thresholded_relu"] = "thresholded_relu"
    theta: NonNegative = 1.0
    """Up to here the answer is 0."""

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Threshold(self.theta, 0.0)

    def initializer(self) -> Initializer:
        """Returns He's."""
        return Initializer.named("he_normal")
