from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.plain import (
    ConstantInitializer,
    Ones,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    Zeros,
)
from tests.support import DIGITS, experiment_of, refusal_of


def filled(initializer: Initializer, *shape: int) -> Tensor:
    tensor = torch.empty(shape)
    initializer.build()(tensor, torch.Generator().manual_seed(3))
    return tensor


@pytest.mark.parametrize(
    ("initializer", "value"),
    [
        (Zeros(), 0.0),
        (Ones(), 1.0),
        (ConstantInitializer(), 0.0),
        (ConstantInitializer(value=0.1), 0.1),
    ],
)
def test_one_number(initializer: Initializer, value: float) -> None:
    assert torch.equal(filled(initializer, 3, 4), torch.full((3, 4), value))


@pytest.mark.parametrize(
    ("initializer", "mean", "sd", "low", "high"),
    [
        (RandomNormal(), 0.0, 0.05, -math.inf, math.inf),
        (RandomNormal(mean=1.0, stddev=2.0), 1.0, 2.0, -math.inf, math.inf),
        (RandomUniform(), 0.0, 0.1 / math.sqrt(12), -0.05, 0.05),
        (RandomUniform(minval=0.0, maxval=3.0), 1.5, 3 / math.sqrt(12), 0.0, 3.0),
        (TruncatedNormal(), 0.0, 0.05 * 0.87962566103423978, -0.1, 0.1),
        (TruncatedNormal(mean=1.0, stddev=2.0), 1.0, 2 * 0.87962566103423978, -3.0, 5.0),
    ],
)
def test_random_ones(
    initializer: Initializer, mean: float, sd: float, low: float, high: float
) -> None:
    """A million numbers: 1 % of the variance is seven of its standard errors. Keras's defaults."""
    tensor = filled(initializer, 1000, 1000)
    assert tensor.var().item() == pytest.approx(sd**2, rel=0.01)
    assert tensor.mean().item() == pytest.approx(mean, abs=5 * sd / 1000)
    assert low - 1e-7 <= tensor.min().item()
    assert tensor.max().item() <= high + 1e-7
    if math.isfinite(high):
        assert tensor.max().item() > high - 0.01 * (high - low)
        assert tensor.min().item() < low + 0.01 * (high - low)
    else:
        assert (tensor - mean).abs().max().item() > 3 * sd


@pytest.mark.parametrize(
    "initializer",
    [Zeros(), Ones(), ConstantInitializer(), RandomNormal(), RandomUniform(), TruncatedNormal()],
    ids=lambda each: each.name,
)
def test_biases_can_begin_so(initializer: Initializer) -> None:
    assert initializer.fits_biases
    assert bool(torch.isfinite(filled(initializer, 7)).all())
    experiment = experiment_of(f"{DIGITS}bias_initializer: {initializer.name}\n")
    assert experiment.bias_initializer.name == initializer.name


def test_limits_the_wrong_way_round_are_refused() -> None:
    (sentence,) = refusal_of(f"{DIGITS}initializer: {{name: random_uniform, minval: 1}}\n")
    assert "minval, 1, is not less than maxval, 0.05" in sentence
