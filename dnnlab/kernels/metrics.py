"""What a net's outputs are worth, as plain functions of all outputs and targets of a split.

Classification: outputs are logits of shape (N, C), targets class indices of shape (N,).
Regression: both are of shape (N, 1), in the units of the data. N examples, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Returns the share of examples whose largest logit is the true class."""
    return float((outputs.argmax(1) == targets).double().mean())


def mean_absolute_error(outputs: Tensor, targets: Tensor) -> float:
    """Returns mean |output - target|."""
    return float((outputs - targets).abs().double().mean())


def root_mean_squared_error(outputs: Tensor, targets: Tensor) -> float:
    """Returns sqrt(mean (output - target)²)."""
    return float((outputs - targets).double().square().mean().sqrt())


def r2(outputs: Tensor, targets: Tensor) -> float:
    """Returns 1 - (residual sum of squares) / (total sum of squares); nan if all targets agree."""
    targets = targets.double()
    residual = (outputs.double() - targets).square().sum()
    total = (targets - targets.mean()).square().sum()
    return float(1 - residual / total) if total > 0 else torch.nan
