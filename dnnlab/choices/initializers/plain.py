"""Initializers that do not look at the size of the layer."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dnnlab.choices.initializers import Initializer

if TYPE_CHECKING:
    from dnnlab.kernels.network import Fill

# What lies beyond is a typing error; float32 ends at 3e38.
Weight = Annotated[float, Field(ge=-1e6, le=1e6)]
Spread = Annotated[float, Field(gt=0, le=1e6)]


class ConstantInitializer(Initializer):
    """All the same number. Kernels that begin so learn one unit, many times over.

        w = value

    Source: none needed.
    Keras: constant, 0 unless told otherwise. PyTorch: constant_.
    """

    name: Literal["constant"] = "constant"
    fits_biases: ClassVar[bool] = True
    value: Weight = 0.0
    """The number."""

    def build(self) -> "Fill":
        """Returns what fills a tensor in place."""
        from dnnlab.kernels.initializers import constant

        return constant(self.value)


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


class Ones(Initializer):
    """All 1.

        w = 1

    Source: none needed.
    Keras: ones. PyTorch: ones_.
    """

    name: Literal["ones"] = "ones"
    fits_biases: ClassVar[bool] = True

    def build(self) -> "Fill":
        """Returns what fills a tensor in place."""
        from dnnlab.kernels.network import ones

        return ones


class RandomNormal(Initializer):
    """Normal, the same for every layer: too wide for large layers, too narrow for small ones.

        w ~ N(mean, stddev²)

    Source: the chapter, for what Glorot and Bengio, 2010, found wrong with it.
    Keras: random_normal, stddev 0.05. PyTorch: normal_, std 1.
    """

    name: Literal["random_normal"] = "random_normal"
    fits_biases: ClassVar[bool] = True
    mean: Weight = 0.0
    """The middle."""
    stddev: Spread = 0.05
    """The standard deviation."""

    def build(self) -> "Fill":
        """Returns what fills a tensor in place."""
        from dnnlab.kernels.initializers import normal_

        return partial(normal_, mean=self.mean, sd=self.stddev)


class RandomUniform(Initializer):
    """Uniform between two numbers, the same for every layer.

        w ~ U(minval, maxval)

    Source: the chapter, for what Glorot and Bengio, 2010, found wrong with it.
    Keras: random_uniform, from -0.05 to 0.05. PyTorch: uniform_, from 0 to 1.
    """

    name: Literal["random_uniform"] = "random_uniform"
    fits_biases: ClassVar[bool] = True
    minval: Weight = -0.05
    """The smallest value."""
    maxval: Weight = 0.05
    """The largest value."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.minval >= self.maxval:
            raise ValueError(f"minval, {self.minval:g}, is not less than maxval, {self.maxval:g}")
        return self

    def build(self) -> "Fill":
        """Returns what fills a tensor in place."""
        from dnnlab.kernels.initializers import uniform_

        return partial(uniform_, low=self.minval, high=self.maxval)


class TruncatedNormal(Initializer):
    """Normal, but numbers beyond two standard deviations are drawn again.

        w ~ N(mean, stddev²), |w - mean| <= 2 * stddev

    What remains has a standard deviation of 0.88 * stddev.
    Source: the chapter's list of initializers.
    Keras: truncated_normal, stddev 0.05, the same. PyTorch: trunc_normal_ cuts at the numbers -2
    and 2, whatever std: with a small std nowhere.
    """

    name: Literal["truncated_normal"] = "truncated_normal"
    fits_biases: ClassVar[bool] = True
    mean: Weight = 0.0
    """The middle."""
    stddev: Spread = 0.05
    """The standard deviation before the cut."""

    def build(self) -> "Fill":
        """Returns what fills a tensor in place."""
        from dnnlab.kernels.initializers import truncated_normal_

        return partial(truncated_normal_, mean=self.mean, sd=self.stddev)
