"""What a net's outputs are worth, as plain functions of all outputs and targets of a split.

Classification: outputs are logits of shape (N, C), or (N, 1) for two classes; targets are class
indices of shape (N,). Regression: both are of shape (N, 1), in the units of the data.
N examples, C classes.
"""

from __future__ import annotations

import torch
from torch import Tensor


def predicted_classes(logits: Tensor) -> Tensor:
    """Returns the most probable class (N,); of one logit (N, 1): 1 where it is above 0."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)


def probabilities(logits: Tensor) -> Tensor:
    """Returns probabilities (N, C); one logit (N, 1) is that of the second of two classes."""
    if logits.shape[1] > 1:
        return logits.softmax(1)
    return torch.cat([(-logits).sigmoid(), logits.sigmoid()], dim=1)


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Returns the share of examples whose most probable class is the true one."""
    return float((predicted_classes(outputs) == targets).double().mean())


def top_k(outputs: Tensor, targets: Tensor, *, k: int) -> float:
    """Returns the share of examples whose true class is among the k most probable.

    Of equal logits the one of the smaller class counts as larger, as in argmax.
    """
    if outputs.shape[1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], dim=1)
    true = outputs.gather(1, targets[:, None])
    before = torch.arange(outputs.shape[1], device=outputs.device) < targets[:, None]
    above = ((outputs > true) | ((outputs == true) & before)).sum(1)
    return float((above < k).double().mean())


def confusion(outputs: Tensor, targets: Tensor) -> list[list[int]]:
    """Returns how often each class (row) was called each (column)."""
    classes = max(2, outputs.shape[1])
    cells = targets * classes + predicted_classes(outputs)
    counts = torch.bincount(cells.cpu(), minlength=classes * classes)
    table: list[list[int]] = counts.view(classes, classes).tolist()
    return table


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
