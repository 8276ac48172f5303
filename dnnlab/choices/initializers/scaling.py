"""Initializers whose variance follows from the size of the layer.

    fan_in = inputs of the layer; fan_out = its outputs; fan_avg = (fan_in + fan_out) / 2

All but `auto` are special cases of `variance_scaling`.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dnnlab.choices.initializers import Initializer
from dnnlab.spec import Share

if TYPE_CHECKING:
    from dnnlab.kernels.network import Fill


class AutoInitializer(Initializer):
    """Picks by the layer's activation: He for the ReLU family, LeCun for SELU, Glorot else.

    The output layer, which has no activation of its own, gets Glorot. What was picked is written
    into the run's config.
    Source: the chapter's table 'initialization parameters for each type of activation function'.
    Keras and PyTorch: neither picks; Keras's layers take glorot_uniform, torch's a sixth of He's
    variance in disguise (uniform within 1/sqrt(fan_in)) for weights and biases.
    """

    name: Literal["auto"] = "auto"

    def build(self) -> "Fill":
        """Raises AssertionError: auto is replaced while reading."""
        raise AssertionError("auto is resolved while reading")


class VarianceScaling(Initializer):
    """The general form: mean 0 and a variance set by the size of the layer.

        variance = scale / fan;   uniform: within sqrt(3 * variance)

    Source: Glorot and Bengio, 2010; He et al., 2015; the chapter's `VarianceScaling`.
    Keras: the same, truncation included. PyTorch: no such function.
    """

    name: Literal["variance_scaling"] = "variance_scaling"
    scale: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """The numerator of the variance: 1 for Glorot and LeCun, 2 for He."""
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    """Which size of the layer is the denominator."""
    distribution: Literal["truncated_normal", "normal", "uniform"] = "truncated_normal"
    """truncated_normal is cut off at two standard deviations, the variance kept."""

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        from dnnlab.kernels.initializers import variance_scaling

        return variance_scaling(scale=self.scale, mode=self.mode, distribution=self.distribution)


class GlorotNormal(Initializer):
    """Variance 1 / fan_avg, normal, cut off at two standard deviations.

        variance = 1 / fan_avg

    Source: Glorot and Bengio, 2010, section 4.2.1.
    Keras: glorot_normal, the same. PyTorch: xavier_normal_, not truncated.
    """

    name: Literal["glorot_normal"] = "glorot_normal"

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        return VarianceScaling(mode="fan_avg").build()


class GlorotUniform(Initializer):
    """Variance 1 / fan_avg, uniform: for no activation, tanh, the logistic function and softmax.

        weights uniform within sqrt(3 / fan_avg) = sqrt(6 / (fan_in + fan_out))

    Source: Glorot and Bengio, 2010, equation 16.
    Keras: glorot_uniform, its default. PyTorch: xavier_uniform_.
    """

    name: Literal["glorot_uniform"] = "glorot_uniform"

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        return VarianceScaling(mode="fan_avg", distribution="uniform").build()


class HeNormal(Initializer):
    """Variance 2 / fan_in, normal, cut off at two standard deviations: for ReLU and its family.

        variance = 2 / ((1 + slope²) * fan_in)

    Source: He et al., 2015, equations 10 and 15.
    Keras: he_normal, the same for slope 0; it knows no other. PyTorch: kaiming_normal_, not
    truncated.
    """

    name: Literal["he_normal"] = "he_normal"
    slope: Share = 0.0
    """That of a leaky ReLU for negative z, which needs less variance."""

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        return VarianceScaling(scale=2 / (1 + self.slope**2)).build()


class HeUniform(Initializer):
    """Variance 2 / fan_in, uniform: for ReLU and its family.

        weights uniform within sqrt(6 / ((1 + slope²) * fan_in))

    Source: He et al., 2015, equations 10 and 15.
    Keras: he_uniform, the same for slope 0; it knows no other. PyTorch: kaiming_uniform_.
    """

    name: Literal["he_uniform"] = "he_uniform"
    slope: Share = 0.0
    """That of a leaky ReLU for negative z, which needs less variance."""

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        return VarianceScaling(scale=2 / (1 + self.slope**2), distribution="uniform").build()


class LecunNormal(Initializer):
    """Variance 1 / fan_in, normal, cut off at two standard deviations: for SELU.

        variance = 1 / fan_in

    Source: LeCun, Bottou, Orr and Müller, 1998, section 4.6; Klambauer et al., 2017, for SELU.
    Keras: lecun_normal, the same. PyTorch: none.
    """

    name: Literal["lecun_normal"] = "lecun_normal"

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        return VarianceScaling().build()


class LecunUniform(Initializer):
    """Variance 1 / fan_in, uniform.

        weights uniform within sqrt(3 / fan_in)

    Source: LeCun, Bottou, Orr and Müller, 1998, section 4.6.
    Keras: lecun_uniform, the same. PyTorch: none; its layers begin within sqrt(1 / fan_in).
    """

    name: Literal["lecun_uniform"] = "lecun_uniform"

    def build(self) -> "Fill":
        """Returns what fills a kernel in place."""
        return VarianceScaling(distribution="uniform").build()
