"""Schedules that go up as well as down."""

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dnnlab.choices.schedules import Schedule, Span
from dnnlab.spec import Auto, Count, Decay, Duration, Epochs, OrAuto, Share


class OneCycle(Schedule):
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
    """Move the momentum, or beta1 of adam and its kin, against the rate; auto: if there is one."""
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

    def level(self, update: int, span: Span) -> float:
        """Returns the share of the highest rate."""
        phase, share = self._phase(update, span.total)
        corners = (self.start, 1.0, self.start, self.end)
        return self._between(corners[phase], corners[phase + 1], share)

    def moved_momentum(self, update: int, span: Span) -> float | None:
        """Returns the momentum of this update, or None for the optimizer's own."""
        if self.cycle_momentum is not True:
            return None
        phase, share = self._phase(update, span.total)
        corners = (self.high_momentum, self.low_momentum, self.high_momentum, self.high_momentum)
        return self._between(corners[phase], corners[phase + 1], share)

    @property
    def moves_momentum(self) -> bool:
        """As set."""
        return self.cycle_momentum is True

    def resolved(self, *, optimizer_has_momentum: bool) -> Self:
        """Returns it with `cycle_momentum` decided."""
        if self.cycle_momentum != "auto":
            return self
        return self.model_copy(update={"cycle_momentum": optimizer_has_momentum})


class Cosine(Schedule):
    """Falls along half a wave, slowly at both ends; with a first cycle, again and again.

        lr(t) = lr * (end + (1 - end) * (1 + cos(pi * (t - begin) / length)) / 2)

    `begin` and `length` are those of the cycle in which t is.
    Source: Loshchilov and Hutter, 2017, 'SGDR', equation 5.
    Keras: CosineDecay, and CosineDecayRestarts with a first cycle, the same multiplier 2 (t_mul).
    PyTorch: CosineAnnealingLR, and CosineAnnealingWarmRestarts, whose multiplier T_mult is 1.
    """

    name: Literal["cosine"] = "cosine"
    first_cycle: Epochs | None = None
    """After how long the rate jumps up again; null for never: one wave for the whole training."""
    multiplier: Annotated[Count, Field(le=1000)] = 2
    """How many times as long as a cycle the next one is; 1 for cycles of one length."""
    end: Share = 0.0
    """The lowest rate, as a share of the highest; the one after a cycle's last."""

    def lengths(self) -> Iterator[tuple[str, Duration]]:
        """Yields the first cycle: without its end nothing restarts."""
        yield from super().lengths()
        if self.first_cycle is not None:
            yield "first_cycle", self.first_cycle

    @model_validator(mode="after")
    def _only_cycles_multiply(self) -> Self:
        if self.first_cycle is None and self.multiplier != 2:
            raise ValueError("multiplier is of cycles: give first_cycle")
        return self

    def _within(self, update: int, span: Span) -> float:
        """Returns the share of its cycle that has passed at an update."""
        if self.first_cycle is None:
            return update / span.total
        length = self.first_cycle.in_updates(span.per_epoch)
        if self.multiplier == 1:
            return update % length / length
        while update >= length:
            update -= length
            length *= self.multiplier
        return update / length

    def level(self, update: int, span: Span) -> float:
        """Returns the share of the highest rate."""
        wave = (1 + math.cos(math.pi * self._within(update, span))) / 2
        return self.end + (1 - self.end) * wave
