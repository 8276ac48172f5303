"""Initial values of weights, from the number of inputs and outputs of a layer."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from dnnlab.kernels.network import Fill

Mode = Literal["fan_in", "fan_out", "fan_avg"]
Distribution = Literal["truncated_normal", "normal", "uniform"]

# The standard deviation of a standard normal variable that is cut off at ±2:
# sqrt(1 - 2 * 2 * pdf(2) / (cdf(2) - cdf(-2))). Dividing by it restores the wanted variance.
TRUNCATED_AT_2_SD = math.sqrt(
    1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2))
)


def fans(shape: torch.Size | tuple[int, ...]) -> tuple[int, int]:
    """Returns (fan_in, fan_out) of a kernel in torch's layout: (out, in, *window)."""
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def constant(value: float) -> Fill:
    """Returns what fills a tensor with one number."""

    def fill(tensor: Tensor, generator: torch.Generator) -> None:
        tensor.fill_(value)

    return fill


def normal_(tensor: Tensor, generator: torch.Generator, *, mean: float, sd: float) -> None:
    """Fills with normal numbers."""
    tensor.normal_(mean, sd, generator=generator)


def uniform_(tensor: Tensor, generator: torch.Generator, *, low: float, high: float) -> None:
    """Fills with numbers between two limits."""
    tensor.uniform_(low, high, generator=generator)


def truncated_normal_(
    tensor: Tensor, generator: torch.Generator, *, mean: float, sd: float
) -> None:
    """Fills with normal numbers, those left out that are over two `sd` from the mean."""
    # a and b are absolute values in torch, not multiples of the standard deviation.
    low, high = mean - 2 * sd, mean + 2 * sd
    torch.nn.init.trunc_normal_(tensor, mean, sd, a=low, b=high, generator=generator)


def variance_scaling(*, scale: float, mode: Mode, distribution: Distribution) -> Fill:
    """Returns what fills a kernel with mean 0 and variance scale / fan.

    `fan` is the number of inputs, of outputs, or their mean. A truncated normal is cut off at two
    standard deviations of the *uncut* one, whose scale is raised so that what remains has the
    wanted variance (Keras does so too; torch's `kaiming_normal_` does not truncate).
    """

    def fill(kernel: Tensor, generator: torch.Generator) -> None:
        fan_in, fan_out = fans(kernel.shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
        sd = math.sqrt(scale / max(1.0, fan))
        if distribution == "uniform":
            uniform_(kernel, generator, low=-math.sqrt(3) * sd, high=math.sqrt(3) * sd)
        elif distribution == "normal":
            normal_(kernel, generator, mean=0.0, sd=sd)
        else:
            truncated_normal_(kernel, generator, mean=0.0, sd=sd / TRUNCATED_AT_2_SD)

    return fill


def identity_(kernel: Tensor, generator: torch.Generator, *, gain: float) -> None:
    """Fills with `gain` where output and input have the same number, in the middle of a window."""
    if kernel.ndim == 2:
        torch.nn.init.eye_(kernel)
    else:
        torch.nn.init.dirac_(kernel)
    kernel.mul_(gain)


def orthogonal_(kernel: Tensor, generator: torch.Generator, *, gain: float) -> None:
    """Fills a kernel, seen as (out, in * window), with `gain` times orthonormal rows or columns."""
    torch.nn.init.orthogonal_(kernel, gain, generator=generator)


def fixup_gain(depth: int, num_branches: int) -> float:
    """Returns what weights within a residual branch of `depth` >= 2 layers are multiplied by.

    An update moves a branch's output in proportion to the product of the depth - 1 layers before
    its last, squared: L^(-1 / (2 depth - 2)) each makes the sum over L branches one branch's.
    """
    return float(num_branches ** (-1 / (2 * depth - 2)))
