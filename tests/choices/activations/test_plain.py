from __future__ import annotations

import math

import pytest
import torch

from dnnlab.choices.activations.plain import Exponential, Linear
from dnnlab.choices.initializers.scaling import GlorotUniform

Z = torch.linspace(-4, 4, 33, dtype=torch.float64)


def test_linear() -> None:
    assert torch.equal(Linear().build(33)(Z), Z)


def test_exponential() -> None:
    expected = [math.exp(z) for z in Z.tolist()]
    assert Exponential().build(33)(Z).tolist() == pytest.approx(expected, rel=1e-14)


def test_exponential_overflows_at_89() -> None:
    found = Exponential().build(2)(torch.tensor([88.0, 89.0]))
    assert torch.isfinite(found).tolist() == [True, False]


@pytest.mark.parametrize("activation", [Linear(), Exponential()])
def test_they_begin_as_glorot_says(activation: Linear | Exponential) -> None:
    assert activation.initializer() == GlorotUniform()
    assert not activation.saturates
