"""The training loop: a generator from boundary to boundary, knowing no files and no screen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from dnnlab.experiment import Experiment
from dnnlab.kernels.network import Network
from dnnlab.plan import Plan
from dnnlab.training.data import Data
from dnnlab.training.engine import Engine, Failure, Stretch
from dnnlab.training.evaluation import evaluate
from dnnlab.training.rates import rates
from dnnlab.training.state import Best, State, Tally

LOOK_EVERY = 0.25
"""Seconds between two looks at the state, roughly: for progress, signals and finiteness."""
MOST_UPDATES = 4096
"""Updates between two looks at most."""


@dataclass(frozen=True)
class Record:
    """One row of measurement: what a split was worth at a step."""

    step: int
    epoch: float
    split: str
    values: dict[str, float]


@dataclass(frozen=True)
class Progress:
    """How far the training is. The state is whole at this moment: it may be saved."""

    step: int
    records: tuple[Record, ...] = field(default=())
    """What was measured at this step, if it is a boundary at which one looks."""
    evaluation_seconds: float = 0.0
    skipped: Failure | None = None
    """The update that was just left out, if one was."""
    rolled_back: Failure | None = None
    """The update for whose sake the training has just gone back to this step, if it has."""


class NonFinite(Exception):
    """Training cannot go on: something is no finite number. The state is as before that update."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.what)
        self.failure = failure


def fit(
    experiment: Experiment, plan: Plan, state: State, data: Data, engine: Engine
) -> Iterator[Progress]:
    """Trains from `state.step` to the end of the plan or to an early stop.

    At every yield the state is whole: saved there and loaded into a fresh one, the training goes on
    with the same bits. Raises NonFinite where the experiment does not let it leave an update out.
    """
    pace = _Pace()
    while state.step < plan.total_updates and not state.ended:
        boundary = plan.next_boundary(state.step)
        stretch = pace.advance(engine, state, boundary)
        _count(state.tally, stretch)
        if stretch.failure is not None:
            _leave_out(experiment, state, stretch.failure)
        if not plan.evaluates_at(state.step):
            yield Progress(state.step, skipped=stretch.failure)
            continue
        started = time.monotonic()
        records = tuple(_look(experiment, plan, state, data))
        spent = time.monotonic() - started
        yield Progress(state.step, records, spent, skipped=stretch.failure)


class _Pace:
    """Chooses how many updates to apply before looking up. Results do not depend on it."""

    def __init__(self) -> None:
        self.updates = 1

    def advance(self, engine: Engine, state: State, boundary: int) -> Stretch:
        until = min(boundary, state.step + self.updates)
        updates, started = until - state.step, time.monotonic()
        stretch = engine.advance(until)
        each = max(time.monotonic() - started, 1e-6) / updates
        self.updates = max(1, min(MOST_UPDATES, round(LOOK_EVERY / each), 2 * self.updates))
        return stretch


def _leave_out(experiment: Experiment, state: State, failure: Failure) -> None:
    """Goes on behind an update that failed, where that is allowed and helps. Raises NonFinite."""
    most = experiment.training.divergence.skip or 0
    if state.skipped >= most or state.not_finite():
        raise NonFinite(failure)
    state.step += 1
    state.skipped += 1


def _count(tally: Tally, stretch: Stretch) -> None:
    """Adds update by update, in order, so that the sums do not depend on where one looked up."""
    for index, (loss, norm, size) in enumerate(
        zip(stretch.losses, stretch.gradient_norms, stretch.sizes, strict=True)
    ):
        tally.examples += size
        tally.loss += loss * size
        tally.hits += stretch.hits[index] if stretch.hits else 0
        if math.isfinite(norm):  # float16 leaves out updates whose gradient overflows
            tally.updates += 1
            tally.gradient_norm += norm
            tally.largest_gradient_norm = max(tally.largest_gradient_norm, norm)


def _look(experiment: Experiment, plan: Plan, state: State, data: Data) -> Iterator[Record]:
    """Measures, and lets the parts that remember a measurement take it in."""
    lr, _ = rates(experiment, plan, state, state.step - 1)
    epoch = plan.epoch_of(state.step)
    running = _running(state, experiment)
    yield Record(state.step, epoch, "train", {**running, "lr": lr})
    state.tally = Tally()
    if data.validation is None:
        return
    measured = evaluate(state.network, data.validation, data.scaling, experiment)
    values = {name: value for name, value in measured.items() if isinstance(value, float)}
    yield Record(state.step, epoch, "validation", {**values, "lr": lr})
    _remember(experiment, plan, state, values[experiment.training.monitor])


def _running(state: State, experiment: Experiment) -> dict[str, float]:
    """Means over the updates since the last record, while weights moved and dropout was on.

    The mean over none, where all were left out, is nan.
    """
    tally = state.tally
    examples = tally.examples or math.nan
    values = {"loss": tally.loss / examples}
    if any(metric.name == "accuracy" for metric in experiment.metrics):
        values["accuracy"] = tally.hits / examples
    if penalty := penalty_of(state.network):
        values["penalty"] = penalty
    values["gradient_norm"] = tally.gradient_norm / max(1, tally.updates)
    values["largest_gradient_norm"] = tally.largest_gradient_norm
    return values


def penalty_of(network: Network) -> float:
    """Returns the sum of l1 * sum(|w|) + l2 * sum(w²) over the kernels."""
    parameters = dict(network.module.named_parameters())
    penalty = 0.0
    for kernel in network.kernels:
        if kernel.l1 > 0 or kernel.l2 > 0:
            weights = parameters[kernel.name].detach().double()
            penalty += kernel.l1 * float(weights.abs().sum())
            penalty += kernel.l2 * float(weights.square().sum())
    return penalty


def monitored(experiment: Experiment, value: float) -> float:
    """Returns a value of the monitored metric as a loss: smaller is better; nan is never better."""
    larger_is_better = any(
        metric.larger_is_better
        for metric in experiment.metrics
        if metric.label == experiment.training.monitor
    )
    return math.inf if math.isnan(value) else -value if larger_is_better else value


def _remember(experiment: Experiment, plan: Plan, state: State, value: float) -> None:
    """Updates the best so far, the plateau of performance scheduling, and early stopping."""
    loss = monitored(experiment, value)
    stopping = experiment.regularization.early_stopping
    margin = stopping.min_delta if stopping else 0.0
    best = state.best
    known = math.inf if best is None else monitored(experiment, best.value) - margin
    if math.isfinite(value) and loss < known:
        state.best = best = Best(state.step, value, state.copy_of_network())
    since = 0 if best is None else best.step
    if plan.patience is not None and state.step - since >= plan.patience:
        epoch = plan.epoch_of(since)
        state.ended = f"no better {experiment.training.monitor} since epoch {epoch:g}"
    state.plateau = experiment.schedule.observe(
        state.plateau, loss, step=state.step, per_epoch=plan.updates_per_epoch
    )
