from __future__ import annotations

import math

import pytest
import sklearn.metrics as oracle
import torch

from dnnlab.kernels.metrics import (
    accuracy,
    confusion,
    mean_absolute_error,
    predicted_classes,
    probabilities,
    r2,
    root_mean_squared_error,
    top_k,
)


def test_accuracy_against_scikit_learn() -> None:
    outputs, targets = torch.randn(200, 4), torch.randint(0, 4, (200,))
    expected = oracle.accuracy_score(targets, outputs.argmax(1))
    assert accuracy(outputs, targets) == pytest.approx(expected, rel=1e-12)


def test_regression_metrics_against_scikit_learn() -> None:
    targets = torch.randn(200, 1, dtype=torch.float64) * 30 + 150
    outputs = targets + torch.randn(200, 1, dtype=torch.float64) * 10
    for ours, theirs in (
        (mean_absolute_error, oracle.mean_absolute_error),
        (root_mean_squared_error, oracle.root_mean_squared_error),
        (r2, lambda t, o: oracle.r2_score(t, o)),
    ):
        assert ours(outputs, targets) == pytest.approx(theirs(targets, outputs), rel=1e-12)


def test_r2_of_targets_that_all_agree_is_no_number() -> None:
    assert math.isnan(r2(torch.ones(3, 1), torch.ones(3, 1)))


def test_top_k_and_confusion_against_scikit_learn() -> None:
    outputs, targets = torch.randn(300, 6), torch.randint(0, 6, (300,))
    expected = oracle.top_k_accuracy_score(targets, outputs, k=3)
    assert top_k(outputs, targets, k=3) == pytest.approx(expected, rel=1e-12)
    table = oracle.confusion_matrix(targets, outputs.argmax(1), labels=range(6))
    assert confusion(outputs, targets) == table.tolist()


def test_top_k_counts_equal_logits_in_order_of_their_classes() -> None:
    outputs = torch.zeros(3, 3)
    assert top_k(outputs, torch.tensor([0, 1, 2]), k=1) == pytest.approx(1 / 3)
    assert top_k(outputs, torch.tensor([0, 1, 2]), k=2) == pytest.approx(2 / 3)


def test_one_logit_is_that_of_the_second_class() -> None:
    logits, targets = torch.tensor([[2.0], [-1.0], [0.5]]), torch.tensor([1, 0, 0])
    assert predicted_classes(logits).tolist() == [1, 0, 1]
    assert accuracy(logits, targets) == pytest.approx(2 / 3)
    assert confusion(logits, targets) == [[1, 1], [0, 1]]
    assert top_k(logits, targets, k=1) == accuracy(logits, targets)
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    torch.testing.assert_close(probabilities(logits), both.softmax(1))
