"""Clipping a gradient before it is applied. `gradient` is flat, of shape (P,); all are in place."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def norm(gradient: Tensor) -> Tensor:
    """Returns the L2 norm of the whole gradient, a scalar tensor on its device."""
    return torch.dot(gradient, gradient).sqrt_()


def clip_value_(gradient: Tensor, limit: float) -> None:
    """Cuts every component to [-limit, limit]. This turns the direction of the gradient.

    [0.9, 100.0] clipped at 1.0 becomes [0.9, 1.0].
    """
    gradient.clamp_(-limit, limit)


def clip_norm_(gradient: Tensor, limit: float) -> None:
    """Scales the gradient down to L2 norm `limit` if it is longer; the direction stays.

    [0.9, 100.0] clipped at 1.0 becomes [0.00899964, 0.9999595].
    """
    gradient.mul_((limit / norm(gradient)).clamp_(max=1.0))


def clip_norm_per_tensor_(gradients: Iterable[Tensor], limit: float) -> None:
    """Scales each parameter's gradient by its own norm (Keras's `clipnorm`)."""
    for gradient in gradients:
        clip_norm_(gradient.view(-1), limit)
