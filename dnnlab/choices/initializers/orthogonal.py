"""Initializers that keep the length of what passes through: every singular value is one number."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dnnlab.choices.initializers import Initializer

if TYPE_CHECKING:
    from dnnlab.kernels.network import Fill


class Identity(Initializer):
    """Every unit begins as the copy of one input; where a layer has more units, the others are 0.

        w[i, j] = gain if i == j, else 0;   a window has it in its middle

    Source: Le, Jaitly and Hinton, 2015, for recurrent nets.
    Keras: identity, for kernels without a window. PyTorch: eye_, and dirac_ with a window.
    """

    name: Literal["identity"] = "identity"
    gain: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """The number that is not 0."""

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        from dnnlab.kernels.initializers import identity_

        return partial(identity_, gain=self.gain)


class Orthogonal(Initializer):
    """A random rotation: of rows or of columns, whichever are fewer, all are perpendicular.

        w wᵀ = gain² I  if there are no more units than inputs, else  wᵀ w = gain² I

    Source: Saxe, McClelland and Ganguli, 2013, section 3.
    Keras and PyTorch: the same; of a window's kernel rows are (inputs x window) long.
    """

    name: Literal["orthogonal"] = "orthogonal"
    gain: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Every singular value; 1.41 makes up for what ReLU takes away."""

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        from dnnlab.kernels.initializers import orthogonal_

        return partial(orthogonal_, gain=self.gain)
