"""Clipping a gradient before it is applied. A gradient is a list of tensors; all are in place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def norm(gradients: Sequence[Tensor]) -> Tensor:
    """Returns the L2 norm of all tensors together, a scalar tensor on their device."""
    first, *rest = (torch.dot(gradient.view(-1), gradient.view(-1)) for gradient in gradients)
    for square in rest:
        first += square
    return first.sqrt_()


def clip_value_(gradients: Sequence[Tensor], limit: float) -> None:
    """Cuts every component to [-limit, limit]. This turns the direction of the gradient.

    [0.9, 100.0] clipped at 1.0 becomes [0.9, 1.0].
    """
    for gradient in gradients:
        gradient.clamp_(-limit, limit)


def clip_norm_(gradients: Sequence[Tensor], limit: float) -> None:
    """Scales the whole gradient down to L2 norm `limit` if it is longer; the direction stays.

    [0.9, 100.0] clipped at 1.0 becomes [0.00899964, 0.9999595].
    """
    factor = (limit / norm(gradients)).clamp_(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)


def clip_norm_per_tensor_(gradients: Sequence[Tensor], limit: float) -> None:
    """Scales each tensor by its own norm (Keras's `clipnorm`)."""
    for gradient in gradients:
        clip_norm_([gradient], limit)
