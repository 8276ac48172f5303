from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from dnnlab.kernels.initializers import (
    TRUNCATED_AT_2_SD,
    Distribution,
    Mode,
    constant,
    fans,
    fixup_gain,
    identity_,
    normal_,
    orthogonal_,
    truncated_normal_,
    uniform_,
    variance_scaling,
)
from dnnlab.kernels.network import Fill


def filled(fill: Fill, *shape: int) -> Tensor:
    kernel = torch.empty(shape)
    fill(kernel, torch.Generator().manual_seed(1))
    return kernel


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
    kernel = filled(variance_scaling(scale=2.0, mode=mode, distribution=distribution), 500, 1000)
    wanted = 2.0 / {"fan_in": 1000, "fan_out": 500, "fan_avg": 750}[mode]
    assert kernel.var().item() == pytest.approx(wanted, rel=0.01)
    assert abs(kernel.mean().item()) < 5 * math.sqrt(wanted / kernel.numel())


@pytest.mark.parametrize(
    ("distribution", "limit"),
    [("truncated_normal", 2 / 0.87962566103423978), ("uniform", math.sqrt(3))],
)
def test_limits(distribution: Distribution, limit: float) -> None:
    fill = variance_scaling(scale=1.0, mode="fan_in", distribution=distribution)
    largest = filled(fill, 300, 1000).abs().max().item() * math.sqrt(1000)
    assert 0.999 * limit < largest <= limit * (1 + 1e-6)


def test_the_fan_of_a_convolution_counts_its_window() -> None:
    """40 x 25 inputs for each of 250 outputs: 250,000 numbers, so 1 % is 3.5 sd."""
    fill = variance_scaling(scale=2.0, mode="fan_in", distribution="normal")
    assert filled(fill, 250, 40, 5, 5).var().item() == pytest.approx(2 / 1000, rel=0.01)


def test_plain_distributions() -> None:
    """Means and variances of a million numbers; five standard errors of each."""
    kernel = filled(partial(normal_, mean=3.0, sd=0.5), 1000, 1000)
    assert kernel.mean().item() == pytest.approx(3.0, abs=5 * 0.5 / 1000)
    assert kernel.std().item() == pytest.approx(0.5, rel=5 / math.sqrt(2e6))
    kernel = filled(partial(uniform_, low=-1.0, high=3.0), 1000, 1000)
    assert kernel.mean().item() == pytest.approx(1.0, abs=5 * 4 / math.sqrt(12e6))
    assert -1 <= kernel.min().item() < -0.999
    assert 2.999 < kernel.max().item() <= 3
    assert filled(constant(0.25), 3).tolist() == [0.25] * 3


def test_a_truncated_normal_is_cut_at_two_sd_wherever_its_mean() -> None:
    kernel = filled(partial(truncated_normal_, mean=1.0, sd=0.02), 1000, 1000)
    assert kernel.std().item() == pytest.approx(0.02 * TRUNCATED_AT_2_SD, rel=0.005)
    largest = (kernel.double() - 1).abs().max().item()
    assert 0.999 * 0.04 < largest <= 0.04 + 1e-7  # float32 near 1 has steps of 1.2e-7


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_identity(shape: tuple[int, int]) -> None:
    found = filled(partial(identity_, gain=2.0), *shape)
    assert found.tolist() == [[2.0 * (i == j) for j in range(shape[1])] for i in range(shape[0])]


def test_the_identity_of_a_window_leaves_images_as_they_are() -> None:
    images = torch.randn(2, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    kernel = filled(partial(identity_, gain=1.0), 3, 3, 5, 5)
    assert torch.equal(torch.conv2d(images, kernel, padding=2), images)


@pytest.mark.parametrize("shape", [(60, 100), (100, 60), (80, 80), (20, 3, 3, 3), (64, 3, 3, 3)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    """Rows or columns, whichever are fewer, are perpendicular and of length `gain`; in float32."""
    rows = filled(partial(orthogonal_, gain=3.0), *shape).flatten(1).double()
    few = rows if rows.shape[0] <= rows.shape[1] else rows.T
    torch.testing.assert_close(
        few @ few.T, 9 * torch.eye(len(few), dtype=torch.float64), rtol=0, atol=1e-5
    )


def test_fixup_makes_the_sum_of_all_branches_one_branch() -> None:
    """L branches of m layers, each scaled by s: L * (s^(m - 1))² = 1."""
    for depth, branches in [(2, 16), (3, 50), (4, 1000)]:
        assert branches * fixup_gain(depth, branches) ** (2 * (depth - 1)) == pytest.approx(1.0)
    assert fixup_gain(2, 1) == 1.0


# --- how torch's own differ: what the docstrings say of it, decided by the torch installed --------


def test_torchs_default_is_uniform_within_one_over_the_root_of_fan_in() -> None:
    """Weights and biases, so their variance is 1/(3 fan_in), a sixth of He's."""
    theirs = torch.nn.Linear(1000, 1000)
    for tensor in (theirs.weight.detach(), theirs.bias.detach()):
        assert 0.98 / math.sqrt(1000) < tensor.abs().max().item() <= 1 / math.sqrt(1000)
    assert theirs.weight.var().item() == pytest.approx(1 / 3000, rel=0.01)


def test_torchs_default_lets_the_signal_of_relu_layers_die() -> None:
    """Root mean square x sqrt(1/2 * 1/3) = 0.408 a layer: 1.7e-8 after 20. He's keeps it.

    A layer's sums have variance fan_in * 1/(3 fan_in) * E[x²], and ReLU halves the mean square;
    without biases. With 1,000 units a layer's mean square scatters by sqrt(5 / 1000) = 7 % (E[x⁴] /
    E[x²]² - 1 = 5 for a rectified normal x), 20 layers' by 32 %, the root of it by 16 %.
    """
    derived = math.sqrt(1 / 2 * 1 / 3) ** 20
    assert derived == pytest.approx(1.7e-8, rel=0.05)
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(64, 1000, dtype=torch.float64, generator=generator)
    healthy = signal.clone()
    he = variance_scaling(scale=2.0, mode="fan_in", distribution="truncated_normal")
    for _ in range(20):
        theirs, ours = torch.empty(2, 1000, 1000)
        torch.nn.init.kaiming_uniform_(theirs, a=math.sqrt(5), generator=generator)
        he(ours, generator)
        signal = torch.relu(signal @ theirs.T.double())
        healthy = torch.relu(healthy @ ours.T.double())
    assert signal.square().mean().sqrt().item() == pytest.approx(derived, rel=0.35)
    assert healthy.square().mean().sqrt().item() == pytest.approx(1.0, rel=0.35)


def test_kaiming_uniform_with_a_sqrt_5_is_what_linear_begins_with() -> None:
    """The test above needs torch's default without its global random numbers."""
    torch.manual_seed(5)
    layer = torch.nn.Linear(30, 20, bias=False)
    again = torch.empty(20, 30)
    generator = torch.Generator().manual_seed(5)
    torch.nn.init.kaiming_uniform_(again, a=math.sqrt(5), generator=generator)
    assert torch.equal(layer.weight, again)


@pytest.mark.parametrize("normal", ["kaiming_normal_", "xavier_normal_"])
def test_torchs_normals_are_not_truncated(normal: str) -> None:
    """Of 1,000,000 numbers 2,700 lie beyond three standard deviations."""
    kernel = torch.empty(1000, 1000)
    getattr(torch.nn.init, normal)(kernel, generator=torch.Generator().manual_seed(0))
    assert (kernel.abs() > 3 * kernel.std()).sum().item() == pytest.approx(2700, rel=0.1)


def test_torch_has_no_lecun() -> None:
    assert not [name for name in dir(torch.nn.init) if "lecun" in name]


def test_torchs_truncation_is_absolute() -> None:
    """With a standard deviation of 0.02, its limits -2 and 2 are a hundred of them away."""
    kernel = torch.empty(1000, 1000)
    generator = torch.Generator().manual_seed(0)
    torch.nn.init.trunc_normal_(kernel, std=0.02, generator=generator)
    assert kernel.abs().max().item() > 4 * 0.02
    torch.nn.init.trunc_normal_(kernel, std=5.0, generator=generator)
    assert kernel.abs().max().item() <= 2.0


def test_torchs_gain_of_he_takes_the_slope() -> None:
    for slope in (0.0, 0.01, 0.3):
        gain = torch.nn.init.calculate_gain("leaky_relu", slope)
        assert gain == pytest.approx(math.sqrt(2 / (1 + slope**2)))
