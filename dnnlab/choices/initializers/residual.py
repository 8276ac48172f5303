"""Initializers that know of residual branches."""

from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.initializers import Initializer

if TYPE_CHECKING:
    from dnnlab.kernels.network import Fill


class Fixup(Initializer):
    """He normal, but residual branches begin small: deep residual nets train unnormalized.

        branch of m layers, one of L: w = L^(-1 / (2 m - 2)) * he_normal, its last layer 0

    One update then changes the outputs as much in a deep net as in a shallow one. Outside of
    branches it is he_normal, and the output layer begins at 0. A branch gets learned numbers of its
    own: one added before each layer and activation, one that multiplies its end.
    Source: Zhang, Dauphin and Ma, 2019, section 4; the chapter names it.
    Keras and PyTorch: none.
    """

    name: Literal["fixup"] = "fixup"
    rescales_branches: ClassVar[bool] = True

    def build(self) -> "Fill":
        """Returns what fills a kernel in place: He's."""
        return Initializer.named("he_normal").build()

    def in_branch(self, position: int, depth: int, num_branches: int) -> "Fill":
        """Returns what fills a kernel in a residual branch: scaled down, the last one 0."""
        from dnnlab.kernels.initializers import fixup_gain, variance_scaling
        from dnnlab.kernels.network import zeros

        if position == depth - 1:
            return zeros
        gain = fixup_gain(depth, num_branches)
        return variance_scaling(scale=2.0 * gain**2, mode="fan_in", distribution="truncated_normal")
