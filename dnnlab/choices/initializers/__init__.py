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
        "glorot_uniform": "scaling.GlorotUniform",
        "he_normal": "scaling.HeNormal",
        "lecun_normal": "scaling.LecunNormal",
        "variance_scaling": "scaling.VarianceScaling",
        "zeros": "plain.Zeros",
    }
    fits_biases: ClassVar[bool] = False
    """Whether a vector of biases, which has no fan, can begin so too."""

    @abstractmethod
    def build(self) -> "Fill":
        """Returns what fills a kernel of shape (out, in) or (out, in, *window) in place."""
