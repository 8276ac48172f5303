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


class Gelu(Activation):
    """Gaussian error linear unit: z times the chance that a standard normal number is below z.

        gelu(z) = z * Phi(z);   tanh: z / 2 * (1 + tanh(sqrt(2 / pi) * (z + 0.044715 * z³)))

    Source: Hendrycks and Gimpel, 2016, section 2.
    Keras and PyTorch: the same, exact unless told otherwise; both call the choice `approximate`.
    """

    name: Literal["gelu"] = "gelu"
    form: Literal["exact", "tanh"] = "exact"
    """tanh is an approximation, within 0.0005, that older nets were trained with."""

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.GELU(approximate="none" if self.form == "exact" else "tanh")

    def initializer(self) -> Initializer:
        """Returns He's."""
        return Initializer.named("he_normal")


class Swish(Activation):
    """z times its own logistic function; also called SiLU.

        swish(z) = z * sigmoid(z)

    Source: Ramachandran, Zoph and Le, 2017, with beta 1; Elfwing, Uchibe and Doya, 2017.
    Keras: swish, also silu, the same. PyTorch: SiLU.
    """

    name: Literal["swish"] = "swish"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.SiLU()

    def initializer(self) -> Initializer:
        """Returns He's."""
        return Initializer.named("he_normal")


class Mish(Activation):
    """Like swish, a little steeper.

        mish(z) = z * tanh(log(1 + exp(z)))

    Source: Misra, 2019, equation 1.
    Keras and PyTorch: the same.
    """

    name: Literal["mish"] = "mish"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Mish()

    def initializer(self) -> Initializer:
        """Returns He's."""
        return Initializer.named("he_normal")


class HardSwish(Activation):
    """Swish from straight pieces: cheap where the exponential function is not.

        hard_swish(z) = z * min(max(z + 3, 0), 6) / 6

    Source: Howard et al., 2019, section 5.2.
    Keras: hard_swish, also hard_silu, the same. PyTorch: Hardswish.
    """

    name: Literal["hard_swish"] = "hard_swish"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Hardswish()

    def initializer(self) -> Initializer:
        """Returns He's."""
        return Initializer.named("he_normal")


class Softplus(Activation):
    """A rounded ReLU that is positive everywhere.

        softplus(z) = log(1 + exp(z))

    As it lies above ReLU, He's weights would let the signal grow from layer to layer: auto is
    Glorot.
    Source: Dugas, Bengio, Bélisle, Nadeau and Garcia, 2001.
    Keras: the same. PyTorch: Softplus, which is z itself above 20, 2e-9 less.
    """

    name: Literal["softplus"] = "softplus"

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Softplus()
