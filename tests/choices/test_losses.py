from __future__ import annotations

import torch

from dnnlab.choices.losses import CrossEntropy, MeanSquaredError


def test_cross_entropy_takes_logits() -> None:
    logits = torch.randn(6, 4, dtype=torch.float64)
    classes = torch.tensor([0, 1, 2, 3, 0, 1])
    probabilities = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    expected = -torch.log(probabilities[torch.arange(6), classes]).mean()
    torch.testing.assert_close(CrossEntropy().build()(logits, classes), expected)


def test_mse() -> None:
    outputs, targets = torch.randn(6, 1), torch.randn(6, 1)
    expected = ((outputs - targets) ** 2).mean()
    torch.testing.assert_close(MeanSquaredError().build()(outputs, targets), expected)
