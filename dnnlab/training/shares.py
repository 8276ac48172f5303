"""Each layer's share in an update: whether it learns, and at what rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from dnnlab.experiment import Experiment
from dnnlab.kernels.network import NamedLayer
from dnnlab.training.phases import Phases, begins_anew, phase_at
from dnnlab.training.pieces import Pieces
from dnnlab.training.state import State

OVER_THE_BATCH = nn.modules.batchnorm._BatchNorm
"""Modules whose outputs depend, while they are in training mode, on the rest of the batch."""


@dataclass(frozen=True)
class _Group:
    """Pieces that learn at one rate."""

    factor: float
    pieces: list[int]
    weights: list[Tensor]
    slots: dict[str, list[Tensor]]
    decaying: list[nn.Parameter]
    """Kernels that weight decay shrinks."""


class Shares:
    """Who learns in the phase that the training is in. Without phases: all, at the rate there is.

    What is not in a group is not touched: frozen weights and their slots keep every bit.
    """

    def __init__(
        self, experiment: Experiment, state: State, pieces: Pieces, phases: Phases
    ) -> None:
        self.phases = phases
        self.phase = -1 if phases else 0
        """The number of the phase that has been prepared."""
        self._optimizer = experiment.optimizer
        self._apply = experiment.optimizer.build()
        self._state = state
        self._pieces = pieces
        self._module = state.network.module
        self._layers = state.network.layers() if phases else ()
        kernels = state.network.kernels if experiment.optimizer.decay else ()
        self._decaying = [kernel.name for kernel in kernels]
        self._still: list[nn.Module] = []
        everything = list(range(len(pieces.weights)))
        self._groups = [] if phases else [self._group(1.0, everything, self._decaying)]

    def training_mode(self, update: int) -> None:
        """Puts the net into training mode, as far as its layers learn in this update's phase."""
        self._module.train()
        if self.phases:
            self._prepare(phase_at(self.phases, update))
            for part in self._still:
                part.eval()

    def begin(self, update: int) -> None:
        """Makes ready for an update: where other layers learn, the optimizer begins anew."""
        if not self.phases:
            return
        number = phase_at(self.phases, update)
        if number != self.phase:
            self.training_mode(update)
        if begins_anew(self.phases, update):
            self._state.forget(self._optimizer)

    @property
    def highest(self) -> float:
        """What the learning rate is multiplied by in the layer that learns fastest."""
        return max(group.factor for group in self._groups)

    def gradients(self) -> Sequence[Tensor]:
        """Returns the gradient of all that learns."""
        gradients = self._pieces.gradients
        if not self.phases:
            return gradients
        return [gradients[index] for group in self._groups for index in group.pieces]

    def apply(self, lr: float, momentum: float) -> None:
        """Changes the weights that learn. A slot that is one number is moved on once."""
        several = len(self._groups) > 1
        numbers = [slot for slot in self._state.slots.values() if slot.ndim == 0 and several]
        before = [slot.clone() for slot in numbers]
        for group in self._groups:
            for slot, value in zip(numbers, before, strict=True):
                slot.copy_(value)
            rate = lr * group.factor
            for kernel in group.decaying:
                kernel.mul_(1 - rate * self._optimizer.decay)
            self._apply(
                group.weights,
                [self._pieces.gradients[index] for index in group.pieces],
                group.slots,
                lr=rate,
                momentum=momentum,
                step=self._state.applied,
            )

    def _prepare(self, number: int) -> None:
        """Sorts the layers by what they do in a phase."""
        if number == self.phase:
            return
        self.phase, phase = number, self.phases[number]
        parameters = dict(self._module.named_parameters())
        self._still = []
        for layer in self._layers:
            learns = not phase.frozen(layer.name)
            for name in layer.tensors:
                if name in parameters:
                    parameters[name].requires_grad_(learns)
            if not learns or layer.name in phase.still:
                self._still += self._over_the_batch(layer)
        self._groups = []
        owner = {name: layer.name for layer in self._layers for name in layer.tensors}
        for factor in sorted({factor for factor in phase.factors.values() if factor > 0}):
            pieces = [
                index
                for index, layer in enumerate(self._pieces.layers)
                if phase.factors[layer] == factor
            ]
            decaying = [name for name in self._decaying if phase.factors[owner[name]] == factor]
            self._groups.append(self._group(factor, pieces, decaying))

    def _group(self, factor: float, pieces: list[int], decaying: list[str]) -> _Group:
        parameters = dict(self._module.named_parameters())
        slots = {
            name: slot if self._state.slots[name].ndim == 0 else [slot[index] for index in pieces]
            for name, slot in self._pieces.slots.items()
        }
        weights = [self._pieces.weights[index] for index in pieces]
        return _Group(factor, pieces, weights, slots, [parameters[name] for name in decaying])

    def _over_the_batch(self, layer: NamedLayer) -> list[nn.Module]:
        found = (self._module.get_submodule(path) for path in layer.modules)
        return [part for part in found if isinstance(part, OVER_THE_BATCH)]
