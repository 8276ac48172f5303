"""Schedules that never rise: constant, and those that fall by a formula."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from dnnlab.choices.schedules import Schedule, Span
from dnnlab.spec import Duration, Epochs, Share

AT_THE_END = 0.1
"""Where a schedule is not told how fast to fall, the training ends at this share of the rate."""


class Constant(Schedule):
    """The same learning rate at every update.

        lr(t) = lr

    Source: none needed.
    Keras and PyTorch: the same.
    """

    name: Literal["constant"] = "constant"

    def level(self, update: int, span: Span) -> float:
        """Returns 1."""
        return 1.0


class PowerDecay(Schedule):
    """Falls fast at first, then ever more slowly: with c = 1 to 1/2 after s, 1/3 after 2 s, 1/4.

        lr(t) = lr / (1 + t / s)^c

    Source: the chapter's 'power scheduling'; Robbins and Monro, 1951, for c = 1.
    Keras: InverseTimeDecay, c = 1; the old `decay` is 1 / s in updates. PyTorch: none.
    """

    name: Literal["power"] = "power"
    s: Epochs | None = None
    """How long until 1 + t / s is 2; null: so that the training ends at a tenth of the rate."""
    c: Annotated[float, Field(ge=0.01, le=10)] = 1.0
    """The exponent."""

    def level(self, update: int, span: Span) -> float:
        """Returns the share of the highest rate."""
        if self.s is None:
            s = span.total / (AT_THE_END ** (-1 / self.c) - 1)
        else:
            s = self.s.in_updates(span.per_epoch)
        return float((1 + update / s) ** -self.c)


class ExponentialDecay(Schedule):
    """Falls to the same share of itself in every stretch of the same length.

        lr(t) = lr * factor^(t / s)

    Source: the chapter's 'exponential scheduling', with factor 0.1.
    Keras: ExponentialDecay, whose factor has no default. PyTorch: ExponentialLR, by a factor per
    step.
    """

    name: Literal["exponential"] = "exponential"
    s: Epochs | None = None
    """How long until the rate is multiplied by `factor`; null for the whole training."""
    factor: Annotated[float, Field(gt=0, lt=1)] = AT_THE_END
    """What the rate is multiplied by in that time."""

    def level(self, update: int, span: Span) -> float:
        """Returns the share of the highest rate."""
        s = span.total if self.s is None else self.s.in_updates(span.per_epoch)
        return float(self.factor ** (update / s))


Factor = Annotated[float, Field(gt=0, le=1)]


class PiecewiseConstant(Schedule):
    """One rate up to the first boundary, another up to the second, and so on.

        lr(t) = lr * factors[i],  i = the number of boundaries that t is greater than

    Source: the chapter's 'piecewise constant scheduling' and its example: 5 and 15 epochs.
    Keras: PiecewiseConstantDecay, the same: the update that is a boundary keeps the old rate.
    PyTorch: MultiStepLR changes at it, and multiplies by one factor each time.
    """

    name: Literal["piecewise_constant"] = "piecewise_constant"
    boundaries: Annotated[tuple[Epochs, ...], Strict(False)] = (
        Duration(epochs=5),
        Duration(epochs=15),
    )
    """After how long the rate changes: rising, all in epochs or all in updates."""
    factors: Annotated[tuple[Factor, ...], Strict(False)] = (1.0, 0.5, 0.1)
    """Shares of the optimizer's lr: one before the first boundary, and one after each."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        units = {each.epochs is None for each in self.boundaries}
        if len(units) == 2:
            raise ValueError("give all boundaries in epochs, or all in updates")
        ends = [each.epochs or each.updates or 0 for each in self.boundaries]
        for before, after in zip(ends, ends[1:], strict=False):
            if after <= before:
                raise ValueError(f"boundaries must rise, but {after:g} comes after {before:g}")
        if len(self.factors) != len(ends) + 1:
            raise ValueError(
                f"there must be one factor more than boundaries: {len(ends) + 1}, "
                f"not {len(self.factors)}"
            )
        return self

    def lengths(self) -> Iterator[tuple[str, Duration]]:
        """Yields the first boundary: without it the rate is constant."""
        yield from super().lengths()
        if self.boundaries:
            yield "boundaries", self.boundaries[0]

    def level(self, update: int, span: Span) -> float:
        """Returns the share of the highest rate."""
        ends = [each.in_updates(span.per_epoch) for each in self.boundaries]
        return self.factors[sum(update > end for end in ends)]


class LinearDecay(Schedule):
    """Falls in a straight line, and stays where it ends.

        lr(t) = lr * (1 + (end - 1) * min(1, t / over))

    With `end` 0 over the whole training the last update still has a rate: lr / (all updates).
    Source: none needed; Goyal et al., 2017, for going up so, which `warm_up` does.
    Keras: PolynomialDecay with power 1, to 0.0001. PyTorch: LinearLR, which begins at a third and
    rises unless told otherwise.
    """

    name: Literal["linear"] = "linear"
    end: Share = 0.0
    """The last rate, as a share of the highest."""
    over: Epochs | None = None
    """How long it falls; null for the whole training."""

    def lengths(self) -> Iterator[tuple[str, Duration]]:
        """Yields how long it falls, if that is not the whole training."""
        yield from super().lengths()
        if self.over is not None:
            yield "over", self.over

    def level(self, update: int, span: Span) -> float:
        """Returns the share of the highest rate."""
        over = span.total if self.over is None else self.over.in_updates(span.per_epoch)
        return 1 + (self.end - 1) * min(1.0, update / over)
