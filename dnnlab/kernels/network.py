"""A net as the engine sees it: a torch module, and for every tensor in it how it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Fill = Callable[[Tensor, torch.Generator], None]
"""Gives a tensor its initial values, in place, drawing on the generator if it needs chance."""


def zeros(tensor: Tensor, generator: torch.Generator) -> None:
    """Fills with 0."""
    tensor.zero_()


def ones(tensor: Tensor, generator: torch.Generator) -> None:
    """Fills with 1."""
    tensor.fill_(1.0)


@dataclass(frozen=True)
class Kernel:
    """A parameter that multiplies inputs: what penalties and constraints apply to."""

    name: str
    l1: float
    l2: float
    max_norm: float | None
    uses: int = 1
    """How often it is applied to one example: places of an image, steps of a sequence."""


@dataclass(frozen=True)
class Network:
    """A module, built without memory (on torch's meta device) until a State gives it some."""

    module: nn.Module
    initial: dict[str, Fill]
    """Initial values by the name of each parameter and buffer."""
    kernels: tuple[Kernel, ...]

    def __post_init__(self) -> None:
        named = set(dict(self.module.named_parameters())) | set(dict(self.module.named_buffers()))
        assert named == set(self.initial), named ^ set(self.initial)

    def straight_line(self) -> Callable[[Tensor], Tensor]:
        """Returns the forward pass without what `nn.Module.__call__` does for hooks at every layer.

        A call costs 2 µs, which is 2 % of an update of a net of 100 small layers. Hooks are not
        called; the modules are those of `module`, with whatever state they have when called.
        """
        if not isinstance(self.module, nn.Sequential):
            return self.module.forward
        forwards = [part.forward for part in self.module]

        def forward(inputs: Tensor) -> Tensor:
            for part in forwards:
                inputs = part(inputs)
            return inputs

        return forward

    @property
    def widest(self) -> int:
        """Numbers that the widest layer gives for one example."""
        parameters = dict(self.module.named_parameters())
        given = (len(parameters[kernel.name]) * kernel.uses for kernel in self.kernels)
        return max(given, default=0)

    @property
    def num_trainable(self) -> int:
        """Numbers that the optimizer changes."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def num_fixed(self) -> int:
        """Numbers that are kept but not optimized: the moving averages of batch normalization."""
        return sum(buffer.numel() for buffer in self.module.buffers())
