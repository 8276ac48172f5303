"""Initial values of weights, from the number of inputs and outputs of a layer."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

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


def variance_scaling_(
    kernel: Tensor,
    *,
    scale: float,
    mode: Mode,
    distribution: Distribution,
    generator: torch.Generator,
) -> None:
    """Fills a kernel with mean 0 and variance scale / fan.

    `fan` is the number of inputs, of outputs, or their mean. A truncated normal is cut off at two
    standard deviations of the *uncut* one, whose scale is raised so that what remains has the
    wanted variance (Keras does so too; torch's `kaiming_normal_` does not truncate).
    """
    fan_in, fan_out = fans(kernel.shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    sd = math.sqrt(scale / max(1.0, fan))
    with torch.no_grad():
        if distribution == "uniform":
            radius = math.sqrt(3) * sd
            kernel.uniform_(-radius, radius, generator=generator)
        elif distribution == "normal":
            kernel.normal_(0.0, sd, generator=generator)
        else:
            wide = sd / TRUNCATED_AT_2_SD
            # a and b are absolute values in torch, not multiples of the standard deviation.
            torch.nn.init.trunc_normal_(
                kernel, 0.0, wide, a=-2 * wide, b=2 * wide, generator=generator
            )
