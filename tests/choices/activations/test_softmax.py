from __future__ import annotations

import pytest
import torch

from dnnlab.choices.activations.softmax import LogSoftmax, Softmax
from dnnlab.choices.initializers.scaling import GlorotUniform

GENERATOR = torch.Generator().manual_seed(0)
DENSE = torch.randn(4, 5, dtype=torch.float64, generator=GENERATOR)
MAPS = torch.randn(4, 5, 3, 2, dtype=torch.float64, generator=GENERATOR)


@pytest.mark.parametrize("z", [DENSE, MAPS], ids=["units", "feature maps"])
def test_shares_of_the_units_or_feature_maps(z: torch.Tensor) -> None:
    expected = torch.exp(z) / torch.exp(z).sum(1, keepdim=True)
    torch.testing.assert_close(Softmax().build(5)(z), expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(LogSoftmax().build(5)(z), expected.log(), rtol=1e-12, atol=1e-12)


def test_softmax_is_flat_where_one_unit_has_all_and_its_logarithm_is_not() -> None:
    """How a unit's own output changes with its own sum: p (1 - p), and 1 - p."""
    z = torch.tensor([[50.0, 0.0]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(Softmax().build(2)(z)[0, 1], z)
    assert slope.abs().max().item() < 1e-20
    (slope,) = torch.autograd.grad(LogSoftmax().build(2)(z)[0, 1], z)
    assert slope.abs().max().item() == pytest.approx(1.0)
    assert Softmax().saturates
    assert not LogSoftmax().saturates
    assert Softmax().initializer() == LogSoftmax().initializer() == GlorotUniform()
