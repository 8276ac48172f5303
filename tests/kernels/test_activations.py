from __future__ import annotations

import pytest
import torch

from dnnlab.kernels.activations import Exponential, RandomizedRelu

Z = torch.linspace(-4, 4, 33, dtype=torch.float64)


def test_exponential() -> None:
    torch.testing.assert_close(Exponential()(Z), torch.special.expm1(Z) + 1)


def test_rrelu_in_evaluation_is_its_mean() -> None:
    module = RandomizedRelu(0.1, 0.5).eval()
    torch.testing.assert_close(module(Z), torch.where(Z > 0, Z, 0.3 * Z))
    assert torch.equal(module(Z), module(Z))


def test_rrelu_in_training_draws_a_slope_for_every_number() -> None:
    """Uniform between the limits: mean .3 and sd .4 / sqrt(12), of 100,000 to five errors."""
    torch.manual_seed(0)
    z = -torch.linspace(1, 2, 100_000, dtype=torch.float64)
    slopes = RandomizedRelu(0.1, 0.5)(z) / z
    assert 0.1 - 1e-9 <= slopes.min().item() < 0.101
    assert 0.499 < slopes.max().item() <= 0.5 + 1e-9
    assert slopes.mean().item() == pytest.approx(0.3, abs=5 * 0.1155 / 316)
    assert slopes.std().item() == pytest.approx(0.4 / 12**0.5, rel=0.01)
    assert torch.equal(RandomizedRelu(0.1, 0.5)(-z), -z)


def test_rrelu_gives_gradients_the_slope_that_was_drawn() -> None:
    z = Z.clone().requires_grad_()
    outputs = RandomizedRelu(0.1, 0.5)(z)
    outputs.sum().backward()
    assert z.grad is not None
    torch.testing.assert_close(z.grad * Z, outputs.detach())


def draws_after(module: torch.nn.Module, z: torch.Tensor) -> float:
    torch.manual_seed(0)
    module.train()(z)
    return torch.rand(()).item()


def test_what_rrelu_draws_depends_on_the_shape_alone_and_torchs_on_the_data() -> None:
    z = torch.randn(40, 10, generator=torch.Generator().manual_seed(1))
    assert draws_after(RandomizedRelu(0.1, 0.5), z) == draws_after(RandomizedRelu(0.1, 0.5), z + 1)
    assert draws_after(torch.nn.RReLU(), z) != draws_after(torch.nn.RReLU(), z + 1)
