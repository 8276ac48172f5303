"""`dnnlab lr-find`: a learning-rate range test. Training with a rising rate, and nothing is kept.

Each order begins with the same weights and optimizer memory, and takes the order of the examples,
the dropout masks and the augmentation of a seed of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from dnnlab.choices.schedules import Plateau, Schedule, Span
from dnnlab.config.read import Config, read
from dnnlab.errors import DataError, RunError
from dnnlab.methods.changes import as_begun, recorded
from dnnlab.methods.changes import changes as changes_between
from dnnlab.methods.examined import examine_once
from dnnlab.methods.range_curve import (
    POINTS,
    RULES,
    Floats,
    Found,
    analyze,
    has_diverged,
    rates_between,
)
from dnnlab.methods.resume import Terms, damage, refuse_changes
from dnnlab.methods.saved_data import read_data
from dnnlab.methods.session import Session, assemble
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import check_run
from dnnlab.runs.heritage import inherited
from dnnlab.runs.records import read_json
from dnnlab.spec import Duration
from dnnlab.training.data import Data, prepare_for
from dnnlab.training.machine import Machine, memory_of
from dnnlab.training.state import Tally

STRETCH = 20
"""Updates between two looks at whether the loss has diverged."""
VERIFYING_STRETCH = 100
"""Updates at a time where nothing is looked at but whether numbers are finite."""
FACTORS = (1 / 3, 1.0, 3.0)
"""Of the pick, in the trainings that verify it."""
LAST_PART = 0.2
"""Of a verifying training, over which its loss is averaged."""

SCRATCH = "a config begins from scratch here: name a run of dnnlab transfer to test reused layers"


class Rising(Schedule):
    """A rate multiplied by the same factor at every update. Only the range test has it.

        lr(t) = lr * first * growth^(t - begin)

    Source: Smith, 2017, with steps in the logarithm.
    Keras and PyTorch: none.
    """

    name: Literal["rising"] = "rising"
    first: float
    """The share of the optimizer's lr at update `begin`."""
    last: float
    """That at the last update of the test."""
    begin: int
    """The first update."""
    updates: int
    """How many there are."""

    def level(self, update: int, span: Span) -> float:
        """Returns the share of the optimizer's lr."""
        part = (update - self.begin) / (self.updates - 1)
        return float(self.first * (self.last / self.first) ** part)


class Level(Schedule):
    """The same share of the rate at every update. Only verifying has it."""

    name: Literal["level"] = "level"
    share: float
    """Of the optimizer's lr."""

    def level(self, update: int, span: Span) -> float:
        """Returns the share."""
        return self.share


@dataclass(frozen=True)
class RangeTest:
    """What is to be tried."""

    start: float = 1e-5
    end: float = 10.0
    updates: int = 500
    orders: int = 3


@dataclass(frozen=True)
class Order:
    """One training with a rising rate."""

    seed: int
    losses: Floats
    """Of each batch, dropout on, without penalties; up to the last that was finite."""
    ended: str
    """Why it has fewer than all; empty if it has all."""
    found: Found
    """What it would say alone."""

    def to_json(self) -> dict[str, Any]:
        """Returns what it measured, and what it would say alone."""
        refusal = self.found.refusal
        return {
            "seed": self.seed,
            "updates": len(self.losses),
            "ended": self.ended,
            "reason": refusal and refusal.reason,
            **{name: getattr(self.found, name) for name in POINTS},
            "losses": self.losses.tolist(),
        }


@dataclass(frozen=True)
class Verification:
    """Short trainings at a third of the pick, at the pick, and at three times the pick."""

    updates: int
    lr: tuple[float, ...]
    losses: tuple[float, ...]
    """Mean over the last fifth of the updates; nan where it diverged."""
    errors: tuple[float, ...]
    """Standard errors of these means."""

    @property
    def not_worse(self) -> bool:
        """Whether no other rate ends lower by more than two standard errors of the difference."""
        _, pick, _ = zip(self.losses, self.errors, strict=True)
        return math.isfinite(pick[0]) and all(
            not math.isfinite(loss) or pick[0] - loss <= 2 * math.hypot(error, pick[1])
            for loss, error in zip(self.losses, self.errors, strict=True)
        )

    def to_json(self) -> dict[str, Any]:
        """Returns rates, losses and the verdict."""
        trainings = [
            {"lr": lr, "loss": loss, "error": error}
            for lr, loss, error in zip(self.lr, self.losses, self.errors, strict=True)
        ]
        return {"updates": self.updates, "not_worse": self.not_worse, "trainings": trainings}


@dataclass(frozen=True)
class Range:
    """What came out."""

    test: RangeTest
    machine: Machine
    optimizer: str
    schedule: str
    lr_now: float
    """The config's own."""
    step: int
    """Updates that the weights had behind them."""
    orders: tuple[Order, ...]
    found: Found
    notes: tuple[str, ...] = ()

    @property
    def spread(self) -> dict[str, tuple[float, float] | None]:
        """Lowest and highest of each point over the orders; None where one alone has none."""
        found = {name: [getattr(order.found, name) for order in self.orders] for name in POINTS}
        return {
            name: None if None in values else (min(values), max(values))
            for name, values in found.items()
        }

    @property
    def picked(self) -> float | None:
        """The rate for this config: 1cycle's highest under 1cycle, else the constant one."""
        return self.found.one_cycle if self.schedule == "one_cycle" else self.found.constant

    def to_json(self) -> dict[str, Any]:
        """Returns the result as `lr-find --json` prints it, but for what only the command knows."""
        found, test, refusal = self.found, self.test, self.found.refusal
        picks = {"constant": found.constant, "one_cycle": found.one_cycle}
        return {
            "schema": 1,
            "suggestion": None if refusal else picks,
            "reason": refusal and refusal.reason,
            "explanation": refusal and refusal.explanation,
            "remedy": refusal and refusal.remedy,
            "rules": RULES,
            "interval": None if found.low is None else [found.low, found.high],
            "steepest": found.steepest,
            "minimum": found.minimum,
            "turning_point": found.turning_point,
            "spread": self.spread,
            "fall": found.fall,
            "noise": found.noise,
            "config_lr": self.lr_now,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "step": self.step,
            "device": str(self.machine.device),
            "threads": self.machine.threads,
            "start": test.start,
            "end": test.end,
            "updates": test.updates,
            "orders": [order.to_json() for order in self.orders],
            "points": {
                "lr": found.lr.tolist(),
                "loss": found.losses.tolist(),
                "smoothed": found.smooth.values.tolist(),
                "slope_per_decade": found.smooth.slopes.tolist(),
            },
        }


@dataclass(frozen=True)
class Start:
    """Weights, optimizer memory and data: what every training here begins with."""

    config: Config
    data: Data
    tensors: dict[str, dict[str, Tensor]]
    numbers: dict[str, Any]
    step: int
    seed: int
    """Of the first order."""
    given: Mapping[str, Tensor] | None = None
    """What the layers that were reused began with; None for a net from scratch."""
    notes: tuple[str, ...] = ()

    def training(self, *, seed: int, schedule: Schedule, updates: int) -> Session:
        """Returns a training from here over so many updates. It has the memory of no other one.

        Its length is the config's own where that is longer: layers may learn later by it.
        """
        experiment = self.config.experiment
        changes: dict[str, Any] = {"seed": seed}
        if experiment.plan(len(self.data.train)).total_updates < self.step + updates:
            changes["epochs"] = Duration(updates=self.step + updates)
        training = experiment.training.model_copy(update=changes)
        experiment = experiment.model_copy(update={"training": training, "schedule": schedule})
        config = self.config.with_experiment(experiment)
        session = assemble(config, self.data, begin=False, given=self.given)
        session.state.load(self.tensors, self.numbers)
        return session


def from_config(config: Config) -> Start:
    """Returns a config's first weights. Raises what `assemble` raises."""
    return _started(config, None)


def from_run(path: Path, options: Sequence[str] = (), seed: int | None = None) -> Start:
    """Returns what a run's newest whole checkpoint holds, with its own config; it is only read.

    `options` change settings, of those that a resumed run may change; `seed` is that of the first
    order, if not the run's. Raises RunError if there is no checkpoint, ConfigError if the config
    has become one of another net, DataError if the data have changed.
    """
    check_run(path)
    config = read(path / "config.yaml", options)
    before = recorded(path)
    if before is not None:
        refuse_changes(
            changes_between(before, config.experiment), config, Terms(accept_changes=True)
        )
    elif not options and not as_begun(path, config.experiment):
        file = path / "config.yaml"
        raise RunError(f"{file} is not what the run began with", remedy="restore the file")
    return _started(config, path, seed)


def _started(config: Config, run: Path | None, seed: int | None = None) -> Start:
    experiment, given, scaling = config.experiment, None, None
    if run is not None:
        given = inherited(run)
    if run is not None and experiment.transfer is not None:
        scaling = read_data(run / "data.json", experiment).scaling
    data = prepare_for(experiment, examine_once, scaling)
    session = assemble(config, data, begin=run is None, given=given)
    state, notes = session.state, tuple(session.data.findings)
    if run is None and experiment.transfer is not None:
        notes = (*notes, SCRATCH)
    if run is not None:
        if read_json(run / "data.json").get("fingerprint") != session.data.fingerprint:
            raise DataError(f"the data have changed since {run} began", remedy="restore the data")
        newest, damaged = checkpoints.load_newest(
            run / "checkpoints", checkpoints.largest_file(state)
        )
        if newest is None:
            raise RunError(f"{run} has no checkpoint yet", remedy=f"dnnlab resume {run}")
        newest.fill(state)
        notes = damage(damaged, newest.step)
    # What lowers the rate, or ends a training, belongs to a training that goes on.
    state.best, state.plateau, state.lr_factor, state.ended = None, Plateau(), 1.0, ""
    state.tally = Tally()
    own = config.experiment.training.seed
    return Start(
        config=config,
        data=data,
        tensors=state.tensors(),
        numbers=state.numbers(),
        step=state.step,
        seed=own if seed is None else seed,
        given=given,
        notes=notes,
    )


def find(start: Start, test: RangeTest, at: Callable[[int], None] = lambda updates: None) -> Range:
    """Trains with a rising rate once per order, and says what the losses mean.

    `at` is told how many updates were done, again and again.
    """
    assert 0 < test.start < test.end, f"from {test.start} to {test.end}"
    experiment = start.config.experiment
    lr = rates_between(test.start, test.end, test.updates)
    orders = []
    for index in range(test.orders):
        seed = (start.seed + index) % 2**63
        losses, ended, machine = _rise(start, test, seed, at)
        orders.append(Order(seed, losses, ended, analyze(lr, [losses])))
    return Range(
        test=test,
        machine=machine,
        optimizer=experiment.optimizer.name,
        schedule=experiment.schedule.name,
        lr_now=experiment.optimizer.lr,
        step=start.step,
        orders=tuple(orders),
        found=analyze(lr, [order.losses for order in orders]),
        notes=start.notes,
    )


def _rise(
    start: Start, test: RangeTest, seed: int, at: Callable[[int], None]
) -> tuple[Floats, str, Machine]:
    """Returns the loss of every update, why there are no more, and where it was measured."""
    own = start.config.experiment.optimizer.lr  # may be so small that a share of it is no setting
    schedule = Rising.model_construct(
        first=test.start / own, last=test.end / own, begin=start.step, updates=test.updates
    )
    session = start.training(seed=seed, schedule=schedule, updates=test.updates)
    decades = math.log10(test.end / test.start) / (test.updates - 1)
    losses: list[float] = []
    ended = ""
    while len(losses) < test.updates:
        until = start.step + min(test.updates, len(losses) + STRETCH)
        with memory_of(session.machine.device):
            stretch = session.engine.advance(until)
        losses += stretch.losses
        at(len(stretch.losses))
        if stretch.failure is not None:
            ended = str(stretch.failure)
            break
        if has_diverged(np.array(losses), decades):
            ended = f"the loss has diverged by update {len(losses)}"
            break
    return np.array(losses), ended, session.machine


def verify(start: Start, pick: float, updates: int) -> Verification:
    """Trains shortly with a rate, and around it."""
    rates = tuple(pick * factor for factor in FACTORS)
    ends = [train_at(start, rate, updates) for rate in rates]
    return Verification(
        updates, rates, tuple(loss for loss, _ in ends), tuple(error for _, error in ends)
    )


def train_at(start: Start, rate: float, updates: int) -> tuple[float, float]:
    """Trains with one rate throughout, in the order of the first seed.

    Returns the mean loss of the last fifth of the updates and its standard error, nan if it
    diverged.
    """
    schedule = Level.model_construct(share=rate / start.config.experiment.optimizer.lr)
    session = start.training(seed=start.seed, schedule=schedule, updates=updates)
    losses: list[float] = []
    while len(losses) < updates:
        with memory_of(session.machine.device):
            stretch = session.engine.advance(
                start.step + min(updates, len(losses) + VERIFYING_STRETCH)
            )
        losses += stretch.losses
        if stretch.failure is not None:
            return math.nan, math.nan
    last = np.array(losses[-max(2, round(LAST_PART * updates)) :])
    return float(last.mean()), float(last.std(ddof=1) / math.sqrt(len(last)))
