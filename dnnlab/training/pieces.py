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
    With `apart`, no piece reaches over the end of a layer, so that layers can be treated
    differently.
    """

    def __init__(self, state: State, *, apart: bool = False) -> None:
        named = dict(state.network.module.named_parameters())
        layer_of = {
            tensor: layer.name for layer in state.network.layers() for tensor in layer.tensors
        }
        self._parameters = list(named.values())
        self._large: list[tuple[int, nn.Parameter]] = []
        self._shared: list[Tensor] = []
        self.gradients: list[Tensor] = []
        """Of the last backward pass."""
        self.layers: list[str] = []
        """The layer of each piece's first parameter: of all of it, if they are apart."""
        lengths: list[int] = []
        group: list[tuple[str, nn.Parameter]] = []
        for name, parameter in named.items():
            layer = layer_of[name]
            if apart and group and group[0][0] != layer:
                self._close(group, lengths, state)
            if parameter.numel() < LARGE:
                group.append((layer, parameter))
                continue
            self._close(group, lengths, state)
            self._large.append((len(lengths), parameter))
            self.gradients.append(torch.empty(0))
            self.layers.append(layer)
            lengths.append(parameter.numel())
        self._close(group, lengths, state)
        self.weights = list(torch.split(state.weights, lengths))
        self.slots = {
            name: [slot] if slot.ndim == 0 else list(torch.split(slot, lengths))
            for name, slot in state.slots.items()
        }

    def _close(
        self, group: list[tuple[str, nn.Parameter]], lengths: list[int], state: State
    ) -> None:
        """Makes one piece of the small parameters gathered so far."""
        if not group:
            return
        shared = torch.zeros_like(state.weights[: sum(each.numel() for _, each in group)])
        start = 0
        for _, parameter in group:
            stop = start + parameter.numel()
            parameter.grad = shared[start:stop].view(parameter.shape)
            start = stop
        self._shared.append(shared)
        self.gradients.append(shared)
        self.layers.append(group[0][0])
        lengths.append(start)
        group.clear()

    def backward(self, loss: Tensor) -> None:
        """Leaves the gradient of `loss` in `gradients`, and in each parameter's `grad`.

        A frozen parameter has none: its piece is empty, or keeps its zeros.
        """
        for _, parameter in self._large:
            parameter.grad = None
        for shared in self._shared:
            shared.zero_()
        loss.backward()  # type: ignore[no-untyped-call]
        for index, parameter in self._large:
            if parameter.requires_grad:
                assert parameter.grad is not None
                self.gradients[index] = parameter.grad.view(-1)

    def of_parameters(self) -> list[Tensor]:
        """Returns the gradient of every parameter that learns; they share memory with
        `gradients`.
        """
        learning = (p for p in self._parameters if p.requires_grad)
        return [p.grad for p in learning if p.grad is not None]
