from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.scaling import (
    AutoInitializer,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

SHAPE = (1000, 500)  # 1,000 units of 500 inputs

CASES = [
    (GlorotNormal(), 1 / 750, "normal"),
    (GlorotUniform(), 1 / 750, "uniform"),
    (HeNormal(), 2 / 500, "normal"),
    (HeUniform(), 2 / 500, "uniform"),
    (HeNormal(slope=0.5), 2 / (1.25 * 500), "normal"),
    (HeUniform(slope=0.5), 2 / (1.25 * 500), "uniform"),
    (LecunNormal(), 1 / 500, "normal"),
    (LecunUniform(), 1 / 500, "uniform"),
    (VarianceScaling(), 1 / 500, "normal"),
    (VarianceScaling(scale=2.0, mode="fan_avg", distribution="uniform"), 2 / 750, "uniform"),
    (VarianceScaling(scale=3.0, mode="fan_out", distribution="truncated_normal"), 3e-3, "normal"),
]


def filled(initializer: Initializer, *shape: int) -> Tensor:
    kernel = torch.empty(shape)
    initializer.build()(kernel, torch.Generator().manual_seed(3))
    return kernel


@pytest.mark.parametrize(("initializer", "variance", "form"), CASES, ids=str)
def test_variances_and_limits(initializer: Initializer, variance: float, form: str) -> None:
    """500,000 numbers: the variance is known to 0.2 % (1 sd), so 1 % is five of them.

    The largest tells the forms apart: sqrt(3) sd of a uniform one, 2 / 0.88 of a normal cut at 2.
    """
    kernel = filled(initializer, *SHAPE)
    assert kernel.var().item() == pytest.approx(variance, rel=0.01)
    limit = {"uniform": math.sqrt(3), "normal": 2 / 0.87962566103423978}[form]
    assert 0.999 * limit < kernel.abs().max().item() / math.sqrt(variance) <= limit * (1 + 1e-6)


def test_a_normal_one_may_go_uncut() -> None:
    """Of 500,000 numbers 1,350 lie beyond three standard deviations."""
    kernel = filled(VarianceScaling(distribution="normal"), *SHAPE)
    assert (kernel.abs() > 3 / math.sqrt(500)).sum().item() == pytest.approx(1350, rel=0.12)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_he_with_a_slope_keeps_the_signal_of_a_leaky_relu(slope: float) -> None:
    """Mean square 1 before and after one layer of 2,000 units, 500 examples: known to 1 % (1 sd).

    Without the gain it would be (1 + slope²) times as large, twice for slope 1.
    """
    inputs = torch.randn(500, 2000, generator=torch.Generator().manual_seed(0))
    sums = inputs @ filled(HeNormal(slope=slope), 2000, 2000).T
    outputs = torch.where(sums > 0, sums, slope * sums)
    assert outputs.square().mean().item() == pytest.approx(1.0, rel=0.03)


def test_auto_fills_nothing() -> None:
    with pytest.raises(AssertionError, match="resolved while reading"):
        AutoInitializer().build()


@pytest.mark.parametrize(("initializer", "variance", "form"), CASES, ids=str)
def test_in_a_branch_it_is_as_elsewhere(
    initializer: Initializer, variance: float, form: str
) -> None:
    kernel = torch.empty(30, 20)
    initializer.in_branch(1, 2, 50)(kernel, torch.Generator().manual_seed(3))
    assert torch.equal(kernel, filled(initializer, 30, 20))
    assert not initializer.rescales_branches
    assert not initializer.fits_biases
