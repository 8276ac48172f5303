from __future__ import annotations

import math

import pytest
import torch

from dnnlab.kernels.initializers import (
    TRUNCATED_AT_2_SD,
    Distribution,
    Mode,
    fans,
    variance_scaling_,
)


def test_the_constant_is_the_sd_of_a_normal_cut_at_two() -> None:
    """By numerical integration of x² against the cut density, and as Keras's source has it."""
    x = torch.linspace(-2, 2, 400_001, dtype=torch.float64)
    density = torch.exp(-(x**2) / 2)
    variance = float((x**2 * density).sum() / density.sum())
    assert math.sqrt(variance) == pytest.approx(TRUNCATED_AT_2_SD, rel=1e-5)
    assert pytest.approx(0.87962566103423978, rel=1e-12) == TRUNCATED_AT_2_SD


def test_fans_of_dense_and_convolution() -> None:
    assert fans((100, 300)) == (300, 100)
    assert fans((64, 3, 5, 5)) == (75, 1600)


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
def test_mean_and_variance(mode: Mode, distribution: Distribution) -> None:
    """500,000 numbers: the variance is known to 0.2 % (1 sd), so 1 % is five of them."""
    kernel = torch.empty(500, 1000)
    variance_scaling_(
        kernel,
        scale=2.0,
        mode=mode,
        distribution=distribution,
        generator=torch.Generator().manual_seed(1),
    )
    wanted = 2.0 / {"fan_in": 1000, "fan_out": 500, "fan_avg": 750}[mode]
    assert kernel.var().item() == pytest.approx(wanted, rel=0.01)
    assert abs(kernel.mean().item()) < 5 * math.sqrt(wanted / kernel.numel())


@pytest.mark.parametrize(
    ("distribution", "limit"),
    [("truncated_normal", 2 / 0.87962566103423978), ("uniform", math.sqrt(3))],
)
def test_limits(distribution: Distribution, limit: float) -> None:
    kernel = torch.empty(300, 1000)
    variance_scaling_(
        kernel,
        scale=1.0,
        mode="fan_in",
        distribution=distribution,
        generator=torch.Generator().manual_seed(1),
    )
    largest = kernel.abs().max().item() * math.sqrt(1000)
    assert 0.999 * limit < largest <= limit * (1 + 1e-6)
