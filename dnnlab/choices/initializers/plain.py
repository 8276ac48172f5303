"""Initializers that do not look at the size of the layer."""

from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.initializers import Initializer

if TYPE_CHECKING:
    from dnnlab.kernels.network import Fill


class Zeros(Initializer):
    """All 0: how biases begin. Kernels that do so learn nothing, since all units stay alike.

        w = 0

    Source: none needed.
    Keras: zeros, its default for biases. PyTorch: zeros_; its biases begin like its kernels.
    """

    name: Literal["zeros"] = "zeros"
    fits_biases: ClassVar[bool] = True

    def build(self) -> "Fill":
        """Returns what fills a tensor in place."""
        from dnnlab.kernels.network import zeros

        return zeros
