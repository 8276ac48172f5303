"""Learning rate and momentum over a training, drawn before it: nothing is read or trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dnnlab.choices.schedules import Schedule, Span
from dnnlab.experiment import Experiment
from dnnlab.report.curve import curve
from dnnlab.report.text import counted

ASSUMED = 1000
"""Updates per epoch, where their number is known only once the data have been read."""
EXAMPLE = Span(total=1000, per_epoch=100)
"""The training over which a schedule is shown that belongs to no experiment."""
MOST_POINTS = 20_000
"""Of a longer training not every update is looked at: this many take 0.05 s."""


def of_default(name: str) -> Iterator[str]:
    """Yields the curves of a schedule with its default settings, for a highest rate of 1."""
    epochs = counted(EXAMPLE.total // EXAMPLE.per_epoch, "epoch")
    yield f"with its default settings over {epochs} of {EXAMPLE.per_epoch} updates:"
    yield ""
    schedule = Schedule.named(name).resolved(optimizer_has_momentum=True)
    names = ("share of the highest rate", "momentum")
    yield from _pictures(schedule, EXAMPLE, names, "epoch", lr=1.0, momentum=None)


def of_experiment(experiment: Experiment) -> Iterator[str]:
    """Yields the curves of an experiment: its own rates, over its own length."""
    length, optimizer = experiment.training.epochs, experiment.optimizer
    span = Span(length.in_updates(ASSUMED), ASSUMED)
    yield f"as if an epoch had {ASSUMED:,} updates (the data say how many; they are not read):"
    yield ""
    yield from _pictures(
        experiment.schedule,
        span,
        ("learning rate", "momentum"),
        "epoch" if length.updates is None else "update",
        lr=optimizer.lr,
        momentum=optimizer.own_momentum,
    )


def _pictures(
    schedule: Schedule,
    training: Span,
    names: tuple[str, str],
    unit: str,
    *,
    lr: float,
    momentum: float | None,
) -> Iterator[str]:
    """Yields the curve of the rate and, where there is a momentum, that of the momentum."""
    span = schedule.span(training)

    def momentum_at(update: int) -> float:
        moved = schedule.momentum(update, span)
        return (momentum or 0.0) if moved is None else moved

    rate_name, momentum_name = names
    yield from _picture(rate_name, training, unit, lambda t: lr * schedule.lr_factor(t, span))
    if schedule.looks_back:
        yield f"({schedule.name} lowers it when the validation metric stops improving: not drawn)"
    if schedule.moves_momentum or momentum is not None:
        yield ""
        yield from _picture(momentum_name, training, unit, momentum_at)


def _picture(name: str, span: Span, unit: str, value: Callable[[int], float]) -> Iterator[str]:
    """Yields the lines of a curve, or one line where there is nothing to draw."""
    count = min(span.total, MOST_POINTS)
    updates = [round(i * (span.total - 1) / max(1, count - 1)) for i in range(count)]
    values = [value(update) for update in updates]
    if len(set(values)) == 1:
        yield f"{name}: {values[0]:g} throughout"
        return
    # The last update's value lasts until the training ends.
    per_unit = span.per_epoch if unit == "epoch" else 1
    places = [update / per_unit for update in (*updates, span.total)]
    points = list(zip(places, [*values, values[-1]], strict=True))
    yield from curve({name: points}, x_name=unit)
