from __future__ import annotations

import math

import pytest
import torch

from dnnlab.choices.activations.rectified import Relu
from dnnlab.choices.activations.smooth import Elu, Selu
from dnnlab.choices.initializers.scaling import HeNormal, LecunNormal

Z = torch.linspace(-4, 4, 33, dtype=torch.float64)


def test_relu() -> None:
    torch.testing.assert_close(Relu().build(33)(Z), torch.where(Z > 0, Z, 0.0))


def test_elu() -> None:
    expected = torch.where(Z > 0, Z, 0.5 * (torch.exp(Z) - 1))
    torch.testing.assert_close(Elu(alpha=0.5).build(33)(Z), expected, rtol=1e-14, atol=1e-16)


def test_selu_keeps_mean_0_and_variance_1() -> None:
    """The constants are those that make (0, 1) a fixed point, found here by solving for it.

    With E[selu(z)] = 0 and E[selu(z)²] = 1 for standard normal z; integrals by the closed form.
    """
    half = 0.5
    tail = math.exp(0.5) * 0.5 * math.erfc(1 / math.sqrt(2))  # E[exp(z); z < 0]
    tail2 = math.exp(2.0) * 0.5 * math.erfc(2 / math.sqrt(2))  # E[exp(2z); z < 0]
    positive = 1 / math.sqrt(2 * math.pi)  # E[z; z > 0]
    alpha = positive / (half - tail)
    scale = 1 / math.sqrt(0.5 + alpha**2 * (tail2 - 2 * tail + half))
    expected = scale * torch.where(Z > 0, Z, alpha * (torch.exp(Z) - 1))
    torch.testing.assert_close(Selu().build(33)(Z), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("activation", "initializer"), [(Relu, HeNormal), (Elu, HeNormal), (Selu, LecunNormal)]
)
def test_the_initializer_that_suits(activation: type[Relu], initializer: type) -> None:
    assert activation().initializer() == initializer()
