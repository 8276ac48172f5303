"""Schedules: learning rate and momentum of every update, as pure functions of its number.

A schedule multiplies the optimizer's `lr`, which is therefore the highest rate of the training. It
is asked anew at each update, so a resumed run needs no memory of it. The one exception,
`performance`, looks back at the validation metric; what it remembers is a `Plateau`, kept with the
run's state. To add one: write its class in a file of this folder and name it in `members`.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from dnnlab.spec import Choice, Duration, Epochs


@dataclass(frozen=True)
class Span:
    """The length of a training, in updates."""

    total: int
    per_epoch: int


@dataclass(frozen=True)
class Plateau:
    """What `performance` remembers; part of a run's state."""

    factor: float = 1.0
    best: float | None = None
    since: int = 0
    """The update from which patience counts: that of the best, or of the last reduction."""


class Schedule(Choice):
    """What every schedule can do. Abstract."""

    family: ClassVar[str] = "schedule"
    members: ClassVar[dict[str, str]] = {
        "constant": "falling.Constant",
        "power": "falling.PowerDecay",
        "exponential": "falling.ExponentialDecay",
        "piecewise_constant": "falling.PiecewiseConstant",
        "performance": "performance.Performance",
        "one_cycle": "cycles.OneCycle",
        "linear": "falling.LinearDecay",
        "cosine": "cycles.Cosine",
    }
    looks_back: ClassVar[bool] = False
    """Whether it needs the validation metric."""

    warm_up: Epochs | None = None
    """Climb to the schedule's rate in a straight line over this long, from nearly nothing."""
    length: Epochs | None = None
    """Stretch the schedule over this long and keep its last rate afterwards; if it is not given,
    over the whole training."""

    def span(self, training: Span) -> Span:
        """Returns what the schedule is stretched over in a training of this length."""
        if self.length is None:
            return training
        return Span(self.length.in_updates(training.per_epoch), training.per_epoch)

    def lr_factor(self, update: int, span: Span) -> float:
        """Returns what the optimizer's lr is multiplied by at update `update` (from 0)."""
        factor = self.level(min(update, span.total - 1), span)
        if self.warm_up is not None:
            factor *= min(1.0, (update + 1) / self.warm_up.in_updates(span.per_epoch))
        return factor

    @abstractmethod
    def level(self, update: int, span: Span) -> float:
        """Returns the same without the warm-up: the share of the highest rate."""

    def momentum(self, update: int, span: Span) -> float | None:
        """Returns the momentum of this update, or None for the optimizer's own."""
        return self.moved_momentum(min(update, span.total - 1), span)

    def moved_momentum(self, update: int, span: Span) -> float | None:
        """Returns the same for an update within the span."""
        return None

    def lengths(self) -> Iterator[tuple[str, Duration]]:
        """Yields stretches that have to end within the training, with the keys that say them."""
        if self.warm_up is not None:
            yield "warm_up", self.warm_up
        if self.length is not None:
            yield "length", self.length

    @property
    def moves_momentum(self) -> bool:
        """Whether it needs an optimizer that has a momentum."""
        return False

    def resolved(self, *, optimizer_has_momentum: bool) -> Self:
        """Returns it with every `auto` replaced."""
        return self

    def observe(self, plateau: Plateau, loss: float, *, step: int, per_epoch: int) -> Plateau:
        """Returns the memory after an evaluation at `step`; `loss` is smaller where better."""
        return plateau
