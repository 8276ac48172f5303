"""Activations: what a unit does with its weighted sum z.

To add one: write its class here and add it to the union at the end.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from dnnlab.choices.initializers import HeNormal, LecunNormal
from dnnlab.spec import Family, Positive, Spec

if TYPE_CHECKING:
    from torch import nn


class Relu(Spec):
    """Rectified linear unit.

        relu(z) = max(0, z)

    Units whose z is negative for every input stop learning ('dying ReLU').
    Source: Nair and Hinton, 2010; Glorot, Bordes and Bengio, 2011.
    Keras and PyTorch: the same.
    """

    name: Literal["relu"] = "relu"
    initializer: ClassVar[type[HeNormal]] = HeNormal

    def build(self) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.ReLU()


class Elu(Spec):
    """Exponential linear unit: smooth, with a mean activation near 0.

        elu(z) = z if z > 0, else alpha * (exp(z) - 1)

    Source: Clevert, Unterthiner and Hochreiter, 2015, equation 15.
    Keras and PyTorch: the same.
    """

    name: Literal["elu"] = "elu"
    alpha: Positive = 1.0
    """The value approached for very negative z is -alpha."""
    initializer: ClassVar[type[HeNormal]] = HeNormal

    def build(self) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.ELU(alpha=self.alpha)


class Selu(Spec):
    """Scaled exponential linear unit: in a plain stack, activations keep mean 0 and variance 1.

        selu(z) = 1.0507 * (z if z > 0, else 1.6733 * (exp(z) - 1))

    Self-normalizing only with standardized inputs, LeCun normal weights, a plain stack of dense
    layers, and none of l1, l2, max-norm, ordinary dropout (use kind: alpha) or batch norm.
    Source: Klambauer, Unterthiner, Mayr and Hochreiter, 2017, section 'SELU' and theorem 1.
    Keras and PyTorch: the same constants, to 16 digits.
    """

    name: Literal["selu"] = "selu"
    initializer: ClassVar[type[LecunNormal]] = LecunNormal

    def build(self) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.SELU()


Activation = Annotated[Relu | Elu | Selu, Family("activation")]
