"""Schedules: learning rate and momentum of every update, as pure functions of its number.

A schedule multiplies the optimizer's `lr`, which is therefore the highest rate of the training. It
is asked anew at each update, so a resumed run needs no memory of it. The one exception,
`performance`, looks back at the validation metric; what it remembers is a `Plateau`, kept with the
run's state.
"""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from dnnlab.spec import Auto, Decay, Duration, Epochs, Family, NonNegative, OrAuto, Share, Spec


class Constant(Spec):
    """The same learning rate at every update.

        lr(t) = lr

    Source: none needed.
    Keras and PyTorch: the same.
    """

    name: Literal["constant"] = "constant"

    def lr_factor(self, update: int, total: int) -> float:
        """Returns what the optimizer's lr is multiplied by at update `update` (from 0)."""
        return 1.0

    def momentum(self, update: int, total: int) -> float | None:
        """Returns the momentum of this update, or None for the optimizer's own."""
        return None


class OneCycle(Spec):
    """Up to the highest rate and down again within one training, then far down at the very end.

        lr: start * lr -> lr over the first half, back over the second,
            then to end * lr over the last `final` share; momentum goes the other way

    Source: Smith, 2018, 'A disciplined approach to neural network hyper-parameters', section 4.2;
    three linear phases as in the chapter's `OneCycleScheduler`.
    Keras: none. PyTorch: OneCycleLR has two cosine phases and a peak at 30 % unless told otherwise.
    """

    name: Literal["one_cycle"] = "one_cycle"
    start: Annotated[float, Field(gt=0, le=1)] = 0.1
    """The first rate, as a share of the highest."""
    end: Annotated[float, Field(ge=0, le=1)] = 1e-4
    """The last rate, as a share of the highest."""
    final: Share = 0.1
    """The share of all updates that the last descent takes."""
    shape: Literal["linear", "cosine"] = "linear"
    """How a phase goes from one rate to the next."""
    cycle_momentum: Annotated[bool | Auto, OrAuto()] = "auto"
    """Move the momentum (sgd) or beta1 (nadam) against the rate; auto: if the optimizer has one."""
    high_momentum: Decay = 0.95
    """Momentum where the rate is lowest."""
    low_momentum: Decay = 0.85
    """Momentum where the rate is highest."""

    def _between(self, first: float, last: float, share: float) -> float:
        if self.shape == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return first + (last - first) * share

    def _phase(self, update: int, total: int) -> tuple[int, float]:
        """Returns the phase (0 up, 1 down, 2 final) and the share of it that has passed."""
        half = (total - round(total * self.final)) / 2
        if update < half:
            return 0, update / half
        if update < 2 * half:
            return 1, (update - half) / half
        rest = total - 1 - 2 * half
        return 2, (update - 2 * half) / rest if rest > 0 else 1.0

    def lr_factor(self, update: int, total: int) -> float:
        """Returns what the optimizer's lr is multiplied by at update `update` (from 0)."""
        phase, share = self._phase(update, total)
        corners = (self.start, 1.0, self.start, self.end)
        return self._between(corners[phase], corners[phase + 1], share)

    def momentum(self, update: int, total: int) -> float | None:
        """Returns the momentum of this update, or None for the optimizer's own."""
        if self.cycle_momentum is not True:
            return None
        phase, share = self._phase(update, total)
        corners = (self.high_momentum, self.low_momentum, self.high_momentum, self.high_momentum)
        return self._between(corners[phase], corners[phase + 1], share)


@dataclass(frozen=True)
class Plateau:
    """What `performance` remembers; part of a run's state."""

    factor: float = 1.0
    best: float | None = None
    since: int = 0
    """The update from which patience counts: that of the best, or of the last reduction."""


class Performance(Spec):
    """Lowers the rate whenever the monitored validation metric has stopped improving.

        lr <- factor * lr  when (updates since the best or the last reduction) >= patience

    Source: the chapter's 'performance scheduling'.
    Keras: ReduceLROnPlateau, the same count and absolute min_delta. PyTorch: ReduceLROnPlateau
    waits one evaluation longer and its threshold is relative.
    """

    name: Literal["performance"] = "performance"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the rate is multiplied by."""
    patience: Epochs = Duration(epochs=5)
    """How long to wait without a new best."""
    min_delta: NonNegative = 1e-4
    """How much better than the best counts as better, in units of the monitored metric."""
    min_lr_factor: Share = 0.0
    """Never below this share of the optimizer's lr."""

    def lr_factor(self, update: int, total: int) -> float:
        """Returns 1: what this schedule does is in the Plateau's factor."""
        return 1.0

    def momentum(self, update: int, total: int) -> float | None:
        """Returns the momentum of this update, or None for the optimizer's own."""
        return None

    def observe(self, plateau: Plateau, loss: float, *, step: int, per_epoch: int) -> Plateau:
        """Returns the memory after an evaluation at `step`; `loss` is smaller where better."""
        # A loss that is not finite is no best: it could not be told from none after a resumption.
        if math.isfinite(loss) and (plateau.best is None or loss < plateau.best - self.min_delta):
            return replace(plateau, best=loss, since=step)
        if step - plateau.since < self.patience.in_updates(per_epoch):
            return plateau
        lowered = max(plateau.factor * self.factor, self.min_lr_factor)
        return replace(plateau, factor=lowered, since=step)


Schedule = Annotated[Constant | OneCycle | Performance, Family("schedule")]
