from __future__ import annotations

import torch

from dnnlab.choices.normalizations import BatchNormalization


def test_training_uses_the_batch_and_moves_the_averages() -> None:
    module = BatchNormalization(momentum=0.9, eps=1e-3).build(3).double()
    x = torch.randn(8, 3, dtype=torch.float64) * 2 + 5
    z = module(x)
    mean, variance = x.mean(0), x.var(0, correction=0)
    expected = (x - mean) / torch.sqrt(variance + 1e-3)
    torch.testing.assert_close(z.detach(), expected, rtol=1e-10, atol=1e-12)
    # torch moves towards the unbiased variance, n / (n - 1) larger; Keras towards the biased one.
    moved = 0.9 * 1.0 + 0.1 * variance * 8 / 7
    torch.testing.assert_close(module.get_buffer("running_mean"), 0.1 * mean)
    torch.testing.assert_close(module.get_buffer("running_var"), moved)


def test_evaluation_uses_the_averages() -> None:
    module = BatchNormalization(eps=1e-3).build(2).eval()
    x = torch.tensor([[3.0, -1.0]])
    torch.testing.assert_close(module(x).detach(), x / (1 + 1e-3) ** 0.5)


def test_keras_counts_four_numbers_per_unit() -> None:
    module = BatchNormalization().build(5)
    assert sum(p.numel() for p in module.parameters()) == 10
    assert sum(b.numel() for b in module.buffers()) == 10
