"""Activations that torch has no module for, or has in another variant."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu


class Exponential(nn.Module):
    """exp(z)."""

    def forward(self, z: Tensor) -> Tensor:
        """Takes and returns any shape."""
        return torch.exp(z)


class RandomizedRelu(nn.Module):
    """z where positive, else z times a slope: random in training, its mean in evaluation.

    torch's RReLU draws for negative z alone, one number after the other. Here a slope is drawn for
    every z, at once: how much randomness is used depends on the shape and not on the data.
    """

    def __init__(self, lower: float, upper: float) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper

    def forward(self, z: Tensor) -> Tensor:
        """Takes and returns any shape."""
        if not self.training:
            return leaky_relu(z, (self.lower + self.upper) / 2)
        slopes = torch.empty_like(z).uniform_(self.lower, self.upper)
        return torch.where(z > 0, z, z * slopes)
