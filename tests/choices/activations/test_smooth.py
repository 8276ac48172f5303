from __future__ import annotations

import math

import pytest
import torch

from dnnlab.choices.activations import Activation
from dnnlab.choices.activations.smooth import Elu, Gelu, HardSwish, Mish, Selu, Softplus, Swish
from dnnlab.choices.initializers.scaling import GlorotUniform, HeNormal, LecunNormal

Z = torch.linspace(-4, 4, 33, dtype=torch.float64)
LOGISTIC = 1 / (1 + torch.exp(-Z))


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


def test_gelu_is_z_times_the_normal_distribution() -> None:
    """The distribution by adding up the density from -12, where it is 1e-33."""
    x = torch.linspace(-12, 4, 1_600_001, dtype=torch.float64)
    density = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    below = torch.cumulative_trapezoid(density, x)
    places = ((Z + 12) / 1e-5).round().long() - 1
    torch.testing.assert_close(Gelu().build(33)(Z), Z * below[places], rtol=0, atol=1e-10)


def test_the_tanh_form_of_gelu_is_within_half_a_thousandth() -> None:
    """As its setting says; and its own formula to rounding."""
    found = Gelu(form="tanh").build(33)(Z)
    assert 1e-4 < (found - Gelu().build(33)(Z)).abs().max().item() < 5e-4
    inner = math.sqrt(2 / math.pi) * (Z + 0.044715 * Z**3)
    torch.testing.assert_close(found, Z / 2 * (1 + torch.tanh(inner)), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        (Swish(), Z * LOGISTIC),
        (Mish(), Z * torch.tanh(torch.log(1 + torch.exp(Z)))),
        (HardSwish(), Z * torch.clamp(Z / 6 + 0.5, 0, 1)),
        (Softplus(), torch.log(1 + torch.exp(Z))),
    ],
    ids=lambda each: getattr(each, "name", ""),
)
def test_closed_forms(activation: Activation, expected: torch.Tensor) -> None:
    torch.testing.assert_close(activation.build(33)(Z), expected, rtol=1e-12, atol=1e-14)


def test_torchs_softplus_is_a_straight_line_above_20() -> None:
    z = torch.tensor([20.5], dtype=torch.float64)
    assert Softplus().build(1)(z).item() == 20.5
    assert math.log1p(math.exp(-20.5)) < 2e-9  # what that leaves out


@pytest.mark.parametrize("activation", [Elu(), Gelu(), Swish(), Mish(), HardSwish()])
def test_variants_of_relu_begin_as_he_says(activation: Activation) -> None:
    assert activation.initializer() == HeNormal()
    assert not activation.saturates


def test_selu_begins_as_lecun_says() -> None:
    assert Selu().initializer() == LecunNormal()


def mean_square_after(variance: float, layers: int) -> float:
    """The mean square of a wide softplus net's signal, weights of variance `variance` / fan_in."""
    normal = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    weight = torch.exp(-(normal**2) / 2)
    weight /= weight.sum()
    square = 1.0
    for _ in range(layers):
        sums = math.sqrt(variance * square) * normal
        square = float((weight * torch.nn.functional.softplus(sums).square()).sum())
    return square


def test_softplus_settles_with_glorot_and_grows_with_he() -> None:
    assert Softplus().initializer() == GlorotUniform()
    assert mean_square_after(1.0, 100) == pytest.approx(mean_square_after(1.0, 50), rel=1e-3)
    assert mean_square_after(2.0, 100) > 1.5 * mean_square_after(2.0, 50)
