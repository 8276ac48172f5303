from __future__ import annotations

import pytest
import torch

from dnnlab.choices.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Huber,
    MeanAbsoluteErrorLoss,
    MeanSquaredError,
)
from tests.support import refusal_of


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


def test_binary_cross_entropy_is_cross_entropy_with_the_first_logit_0() -> None:
    logits = torch.randn(7, 1, dtype=torch.float64)
    classes = torch.tensor([0, 1, 1, 0, 1, 0, 0])
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    one = BinaryCrossEntropy().build()(logits, classes)
    torch.testing.assert_close(one, CrossEntropy().build()(both, classes))


def test_a_smoothed_label_is_shared_by_all_classes() -> None:
    """Szegedy et al., 2016, equation 3: 1 - s on the true class, s / C on each."""
    logits = torch.randn(6, 4, dtype=torch.float64)
    classes = torch.tensor([0, 1, 2, 3, 0, 1])
    wanted = torch.full((6, 4), 0.2 / 4, dtype=torch.float64)
    wanted[torch.arange(6), classes] += 0.8
    expected = -(wanted * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(CrossEntropy().build(label_smoothing=0.2)(logits, classes), expected)
    both, two = logits[:, :2], classes % 2
    one = (both[:, 1] - both[:, 0])[:, None]
    torch.testing.assert_close(
        BinaryCrossEntropy().build(label_smoothing=0.2)(one, two),
        CrossEntropy().build(label_smoothing=0.2)(both, two),
    )


def test_mae_and_huber() -> None:
    outputs = torch.tensor([[0.0], [1.0], [3.0]])
    targets = torch.zeros(3, 1)
    assert MeanAbsoluteErrorLoss().build()(outputs, targets).item() == pytest.approx(4 / 3)
    # delta 2: 1² / 2 within, 2 * (3 - 1) beyond
    expected = (0.5 + 2 * (3 - 1)) / 3
    assert Huber(delta=2.0).build()(outputs, targets).item() == pytest.approx(expected)


def test_one_output_is_for_two_classes() -> None:
    text = "data: digits\narchitecture: {name: mlp, hidden: [4]}\nloss: binary_cross_entropy\n"
    (sentence,) = refusal_of(text)
    assert sentence.startswith("3:7 loss: binary_cross_entropy is for two classes, but the data")
