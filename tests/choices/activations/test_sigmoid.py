from __future__ import annotations

import pytest
import torch

from dnnlab.choices.activations import Activation
from dnnlab.choices.activations.sigmoid import HardSigmoid, Sigmoid, Softsign, Tanh
from dnnlab.choices.initializers.scaling import GlorotUniform

Z = torch.linspace(-4, 4, 33, dtype=torch.float64)
LOGISTIC = 1 / (1 + torch.exp(-Z))

CASES = [
    (Sigmoid(), LOGISTIC),
    (HardSigmoid(), torch.clamp(Z / 6 + 0.5, 0, 1)),
    (Tanh(), (torch.exp(Z) - torch.exp(-Z)) / (torch.exp(Z) + torch.exp(-Z))),
    (Softsign(), Z / (1 + Z.abs())),
]


@pytest.mark.parametrize(("activation", "expected"), CASES, ids=lambda e: getattr(e, "name", ""))
def test_closed_forms(activation: Activation, expected: torch.Tensor) -> None:
    torch.testing.assert_close(activation.build(33)(Z), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("activation", "expected"), CASES, ids=lambda e: getattr(e, "name", ""))
def test_they_saturate_and_begin_as_glorot_says(
    activation: Activation, expected: torch.Tensor
) -> None:
    """Flat at both ends: at ±1e5 the slope is below 1e-9, softsign's too, which is 1 / z²."""
    ends = torch.tensor([-1e5, 1e5], dtype=torch.float64, requires_grad=True)
    activation.build(2)(ends).sum().backward()
    assert ends.grad is not None
    assert ends.grad.abs().max().item() < 1e-9
    assert activation.saturates
    assert activation.initializer() == GlorotUniform()


def test_keras_2_had_another_hard_sigmoid() -> None:
    """0.2 * z + 0.5: at z = 1 it is 0.7, ours 2/3."""
    assert HardSigmoid().build(1)(torch.ones(1)).item() == pytest.approx(2 / 3)
