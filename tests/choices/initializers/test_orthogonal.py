from __future__ import annotations

import torch

from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.orthogonal import Identity, Orthogonal


def test_identity() -> None:
    kernel = torch.empty(3, 4)
    Identity(gain=0.5).build()(kernel, torch.Generator())
    assert torch.equal(kernel, torch.eye(3, 4) / 2)


def test_orthogonal_keeps_lengths() -> None:
    """Up to float32's rounding: 100 products of numbers below 1."""
    kernel = torch.empty(100, 100)
    Orthogonal(gain=2.0).build()(kernel, torch.Generator().manual_seed(1))
    inputs = torch.randn(20, 100, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    outputs = inputs @ kernel.double().T
    torch.testing.assert_close(outputs.norm(dim=1), 2 * inputs.norm(dim=1), rtol=1e-5, atol=0)


def test_another_seed_is_another_rotation() -> None:
    one, other = torch.empty(5, 5), torch.empty(5, 5)
    Orthogonal().build()(one, torch.Generator().manual_seed(1))
    Orthogonal().build()(other, torch.Generator().manual_seed(2))
    assert not torch.equal(one, other)


def test_they_are_for_kernels() -> None:
    ones: list[Initializer] = [Identity(), Orthogonal()]
    assert not any(each.fits_biases for each in ones)
