"""Phases of a training: which layers learn from which update on, and how fast."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dnnlab.choices.transfer import Stage, Transfer
from dnnlab.plan import Plan
from dnnlab.training.reuse import matching


@dataclass(frozen=True)
class Phase:
    """Updates in which the same layers learn.

    A layer that does not learn is frozen: its parameters and buffers keep every bit, its batch
    normalization uses the averages it has. Dropout goes on as everywhere.
    """

    start: int
    """Its first update."""
    factors: Mapping[str, float]
    """What the learning rate of each layer is multiplied by, by the layer's name; 0: frozen."""
    still: frozenset[str] = frozenset()
    """Layers that learn, but whose batch normalization uses the averages it has."""

    def frozen(self, layer: str) -> bool:
        """Whether a layer keeps its bits."""
        return self.factors[layer] == 0


Phases = Sequence[Phase]
"""Of a training, by start; none where all layers learn alike from beginning to end."""


def phase_at(phases: Phases, update: int) -> int:
    """Returns the number of the phase that an update, counted from 0, belongs to."""
    return max((number for number, phase in enumerate(phases) if phase.start <= update), default=0)


def begins_anew(phases: Phases, update: int) -> bool:
    """Whether the optimizer's memory begins anew with an update: where other layers learn than
    before, for what it remembers is of another net.
    """
    number = phase_at(phases, update)
    if not phases or number == 0 or phases[number].start != update:
        return False
    before, now = phases[number - 1], phases[number]
    return any(before.frozen(layer) is not now.frozen(layer) for layer in now.factors)


def frozen_between(phases: Phases, since: int, step: int) -> list[str]:
    """Returns the layers that were frozen in every update from `since` on and before `step`."""
    if not phases or step <= since:
        return []
    begun = phases[phase_at(phases, since) : phase_at(phases, step - 1) + 1]
    return [name for name in begun[0].factors if all(phase.frozen(name) for phase in begun)]


def of_transfer(
    transfer: Transfer, plan: Plan, layers: Sequence[str], reused: Collection[str]
) -> tuple[Phase, ...]:
    """Returns the phases of a training in which `reused` ones of `layers` learn later than others.

    Layers are in order, the output last. Raises NoSuchLayer.
    """
    phases: list[Phase] = []
    start = 0
    for number, stage in enumerate(transfer.stages):
        length = stage.epochs.in_updates(plan.updates_per_epoch) if stage.epochs else None
        end = plan.total_updates if length is None else start + length
        for begin, learning in _steps(stage, number, start, end, plan, layers, reused):
            factors = {
                layer: stage.lr_factor * transfer.lr_decay ** (len(layers) - 1 - index)
                if layer in learning or layer not in reused
                else 0.0
                for index, layer in enumerate(layers)
            }
            still = frozenset(reused) if transfer.batch_norm == "frozen" else frozenset()
            phases.append(Phase(begin, factors, still))
        start = end
    return tuple(phases)


def _steps(
    stage: Stage,
    number: int,
    start: int,
    end: int,
    plan: Plan,
    layers: Sequence[str],
    reused: Collection[str],
) -> Iterator[tuple[int, set[str]]]:
    """Yields from which update on which of the reused layers learn, within a stage."""
    from_the_top = [layer for layer in reversed(layers) if layer in reused]
    unfreeze = stage.unfreeze
    if unfreeze.one_every is not None:
        every = unfreeze.one_every.in_updates(plan.updates_per_epoch)
        for count in range(1, max(1, len(from_the_top)) + 1):
            begin = start + (count - 1) * every
            if begin < end or count == 1:
                yield begin, set(from_the_top[:count])
    elif unfreeze.layers is not None:
        path = ("transfer", "stages", number, "unfreeze", "layers")
        yield start, matching(layers, unfreeze.layers, path)
    elif unfreeze.top is not None:
        yield start, set(from_the_top[: unfreeze.top])
    else:
        yield start, set(from_the_top) if unfreeze.which == "all" else set()


def of_pretraining(
    groups: Sequence[Collection[str]], plan: Plan, layers: Sequence[str]
) -> tuple[Phase, ...]:
    """Returns phases of equal length, in each of which one group of the layers learns."""
    return tuple(
        Phase(
            plan.total_updates * number // len(groups),
            {layer: 1.0 if layer in learning else 0.0 for layer in layers},
        )
        for number, learning in enumerate(groups)
    )
