"""Initializers: the first values of a layer's weights, or of its biases.

To add one: write its class in a file of this folder and name it in `members`.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from dnnlab.spec import Choice

if TYPE_CHECKING:
    from dnnlab.kernels.network import Fill


class Initializer(Choice):
    """What every initializer can do. Abstract."""

    family: ClassVar[str] = "initializer"
    members: ClassVar[dict[str, str]] = {
        "auto": "scaling.AutoInitializer",
        "constant": "plain.ConstantInitializer",
        "glorot_normal": "scaling.GlorotNormal",
        "glorot_uniform": "scaling.GlorotUniform",
        "he_normal": "scaling.HeNormal",
        "he_uniform": "scaling.HeUniform",
        "identity": "orthogonal.Identity",
        "lecun_normal": "scaling.LecunNormal",
        "lecun_uniform": "scaling.LecunUniform",
        "ones": "plain.Ones",
        "orthogonal": "orthogonal.Orthogonal",
        "random_normal": "plain.RandomNormal",
        "random_uniform": "plain.RandomUniform",
        "truncated_normal": "plain.TruncatedNormal",
        "variance_scaling": "scaling.VarianceScaling",
        "zeros": "plain.Zeros",
        "fixup": "residual.Fixup",
    }
    fits_biases: ClassVar[bool] = False
    """Whether a vector of biases, which has no fan, can begin so too."""
    rescales_branches: ClassVar[bool] = False
    """Whether `in_branch` differs from `build`."""

    @abstractmethod
    def build(self) -> "Fill":
        """Returns what fills a kernel of shape (out, in) or (out, in, *window) in place."""

    def in_branch(self, position: int, depth: int, num_branches: int) -> "Fill":
        """Returns what fills a kernel in a residual branch, one of `num_branches` of the net.

        The branch has `depth` layers with weights, of which this is number `position`, from 0.
        """
        return self.build()
