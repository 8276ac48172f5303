"""S-shaped functions: flat at both ends, where little gradient comes through."""

from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.activations import Activation

if TYPE_CHECKING:
    from torch import nn


class Sigmoid(Activation):
    """The logistic function, from 0 to 1: its slope is at most 1/4, so deep nets hardly learn.

        sigmoid(z) = 1 / (1 + exp(-z))

    Source: Rumelhart, Hinton and Williams, 1986; Glorot and Bengio, 2010, for why it is not used.
    Keras and PyTorch: the same.
    """

    name: Literal["sigmoid"] = "sigmoid"
    saturates: ClassVar[bool] = True

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Sigmoid()


class HardSigmoid(Activation):
    """The logistic function from three straight pieces; its slope outside of -3 to 3 is 0.

        hard_sigmoid(z) = min(max(z + 3, 0), 6) / 6

    Source: Howard et al., 2019, section 5.2; Courbariaux, Bengio and David, 2015, with slope 1/2.
    Keras: the same in Keras 3; in Keras 2 it was 0.2 * z + 0.5, cut at 0 and 1. PyTorch:
    Hardsigmoid, the same.
    """

    name: Literal["hard_sigmoid"] = "hard_sigmoid"
    saturates: ClassVar[bool] = True

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Hardsigmoid()


class Tanh(Activation):
    """Hyperbolic tangent, from -1 to 1: a logistic function with mean 0.

        tanh(z) = 2 * sigmoid(2 * z) - 1

    Source: LeCun, Bottou, Orr and Müller, 1998, section 4.4.
    Keras and PyTorch: the same.
    """

    name: Literal["tanh"] = "tanh"
    saturates: ClassVar[bool] = True

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Tanh()


class Softsign(Activation):
    """From -1 to 1 like tanh, but slower: its slope falls with 1/z², not exponentially.

        softsign(z) = z / (1 + |z|)

    Source: Bergstra, Desjardins, Lamblin and Bengio, 2009.
    Keras and PyTorch: the same.
    """

    name: Literal["softsign"] = "softsign"
    saturates: ClassVar[bool] = True

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.Softsign()
