"""The state's one vector of weights, cut where gradients are handled best."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnnlab.training.state import State

LARGE = 2**15
"""Numbers in a parameter from which on it is a piece of its own."""


class Pieces:
    """Weights, gradients and slots as lists of vectors, one a piece.

    Autograd either adds onto a gradient that is there or hands over the one it made. Adding costs
    four passes over memory (zeroes, read, read, write), handing over none, but then every parameter
    has to be treated by itself. So a large parameter is a piece of its own, whose gradient is taken
    as it comes; all small ones between two large ones share a vector, onto which autograd adds.
    """

    def __init__(self, state: State) -> None:
        self._parameters = list(state.network.module.parameters())
        self._large: list[tuple[int, nn.Parameter]] = []
        self._shared: list[Tensor] = []
        self.gradients: list[Tensor] = []
        """Of the last backward pass."""
        lengths: list[int] = []
        group: list[nn.Parameter] = []
        for parameter in self._parameters:
            if parameter.numel() >= LARGE:
                self._close(group, lengths, state)
                self._large.append((len(lengths), parameter))
                self.gradients.append(torch.empty(0))
                lengths.append(parameter.numel())
            else:
                group.append(parameter)
        self._close(group, lengths, state)
        self.weights = list(torch.split(state.weights, lengths))
        self.slots = {
            name: [slot] if slot.ndim == 0 else list(torch.split(slot, lengths))
            for name, slot in state.slots.items()
        }

    def _close(self, group: list[nn.Parameter], lengths: list[int], state: State) -> None:
        """Makes one piece of the small parameters gathered so far."""
        if not group:
            return
        shared = torch.zeros_like(state.weights[: sum(p.numel() for p in group)])
        start = 0
        for parameter in group:
            stop = start + parameter.numel()
            parameter.grad = shared[start:stop].view(parameter.shape)
            start = stop
        self._shared.append(shared)
        self.gradients.append(shared)
        lengths.append(start)
        group.clear()

    def backward(self, loss: Tensor) -> None:
        """Leaves the gradient of `loss` in `gradients`, and in each parameter's `grad`."""
        for _, parameter in self._large:
            parameter.grad = None
        for shared in self._shared:
            shared.zero_()
        loss.backward()  # type: ignore[no-untyped-call]
        for index, parameter in self._large:
            assert parameter.grad is not None
            self.gradients[index] = parameter.grad.view(-1)

    def of_parameters(self) -> list[Tensor]:
        """Returns the gradient of every parameter; they share memory with `gradients`."""
        return [p.grad for p in self._parameters if p.grad is not None]
