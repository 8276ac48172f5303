from __future__ import annotations

import math

import pytest
import sklearn.metrics as oracle
import torch

from dnnlab.kernels.metrics import (
    accuracy,
    mean_absolute_error,
    r2,
    root_mean_squared_error,
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
