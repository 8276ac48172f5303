"""Training inside a run folder: `fit`, with what it measures and saves written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnnlab.choices.divergence import Rollback
from dnnlab.config.read import Config
from dnnlab.config.write import settings, to_yaml
from dnnlab.errors import DivergedError
from dnnlab.experiment import Experiment
from dnnlab.methods.session import Session, assemble
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import Origin, RunFolder, check_runs_folder
from dnnlab.runs.heritage import Heritage
from dnnlab.runs.names import check_name
from dnnlab.training.data import Data
from dnnlab.training.engine import Failure
from dnnlab.training.evaluation import evaluate
from dnnlab.training.loop import NonFinite, Progress, fit
from dnnlab.training.machine import memory_of
from dnnlab.training.state import State

CALMER = "a lower optimizer.lr, or gradient_clipping: {norm: 1.0}"
"""What helps against numbers that are not finite."""
MOST_ROWS = 1000
"""Of a batch that failed, in the events."""


class Interrupted(Exception):
    """The training was asked to stop; its state is saved."""

    def __init__(self, step: int) -> None:
        super().__init__(f"interrupted at update {step}")
        self.step = step


@dataclass
class Seconds:
    """Where the time of a run went, over all its segments. Clocks that jump do not matter."""

    training: float = 0.0
    evaluation: float = 0.0
    before: float = 0.0
    """Total of the segments before this one."""
    started: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> float:
        """Seconds since the run's start, without the time between segments."""
        return self.before + time.monotonic() - self.started

    def to_json(self) -> dict[str, float]:
        """Returns the seconds by phase."""
        phases = {"total": self.total, "training": self.training, "evaluation": self.evaluation}
        return {phase: round(seconds, 3) for phase, seconds in phases.items()}


@dataclass
class Training:
    """A run in progress."""

    session: Session
    folder: RunFolder
    seconds: Seconds
    notes: list[str] = field(default_factory=list)
    """What a person should know of how it was opened."""

    def carry_on(self, stop: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
        """Trains to the end, writing records and checkpoints, and then the result.

        `stop` is asked at every look: once it says yes the state is saved and Interrupted raised.
        Raises DivergedError if something is not finite and the experiment says nothing else of it;
        the last good checkpoint stays.
        """
        session, state = self.session, self.session.state
        try:
            self.folder.status("running", state.step)
            for progress in self._timed_steps():
                if failure := progress.skipped:
                    self.folder.event("skipped", step=failure.update, **_evidence(failure))
                if progress.records:
                    session.check_frozen()
                for record in progress.records:
                    self.folder.record(record, self.seconds.total)
                if session.plan.saves_at(state.step) or state.ended:
                    self.save()
                    self.folder.status("running", state.step)
                self.folder.beat(state.step)
                yield progress
                # Its checkpoint is there, but not how often it went back: that is saved later on.
                if not progress.rolled_back and stop():
                    self.save()
                    self.folder.event("interrupted", step=state.step)
                    self.folder.status("interrupted", state.step)
                    raise Interrupted(state.step)
            self._conclude()
        except NonFinite as error:
            raise self._diverged(error.failure) from error
        except Interrupted:
            raise
        except Exception:
            self.folder.give_up("failed", state.step)
            raise
        finally:
            self.folder.close()

    def _timed_steps(self) -> Iterator[Progress]:
        steps = self._steps()
        while True:
            started = time.monotonic()
            with memory_of(self.session.machine.device):
                progress = next(steps, None)
            if progress is None:
                return
            self.seconds.evaluation += progress.evaluation_seconds
            self.seconds.training += time.monotonic() - started - progress.evaluation_seconds
            yield progress

    def _steps(self) -> Iterator[Progress]:
        """Fits, and goes back to fit again where the experiment says so. Raises NonFinite."""
        session, state = self.session, self.session.state
        rollback = session.experiment.training.divergence.rollback
        while True:
            try:
                yield from fit(
                    session.experiment, session.plan, state, session.data, session.engine
                )
                return
            except NonFinite as error:
                if rollback is None or state.rollbacks >= rollback.max or state.not_finite():
                    raise
                failure = error.failure
            yield self._roll_back(failure, rollback)

    def _roll_back(self, failure: Failure, rollback: Rollback) -> Progress:
        """Goes back to the last checkpoint that the plan asked for, and lowers the rate.

        If not one update could be applied after it, a lower rate would not help: then to the one
        before. A checkpoint that a stop has left behind does not count, for a run that was never
        stopped has none. On the disk nothing changes but that what came after the checkpoint is
        gone: killed at any moment here, the run comes to the same failure again, and goes back
        again. How often it did is known to the state as it is now, not to that of the checkpoint.
        """
        session, state, folder = self.session, self.session.state, self.folder
        rollbacks, lr_factor = state.rollbacks + 1, state.lr_factor * rollback.lr_factor
        last, before = session.plan.last_saves(state.step)
        until = last if last < state.step else before
        newest, _ = folder.load(checkpoints.largest_file(state), until)
        if newest is None:
            state.begin_anew(session.experiment.optimizer, session.experiment.training.seed)
        else:
            newest.fill(state)
        state.rollbacks, state.lr_factor = rollbacks, lr_factor
        checkpoints.discard_after(folder.checkpoints, state.step)
        counts = {"rollbacks": rollbacks, "lr_factor": lr_factor}
        folder.begin_segment("rolled_back", step=state.step, **_evidence(failure), **counts)
        folder.status("running", state.step)
        return Progress(state.step, rolled_back=failure)

    def save(self) -> None:
        """Commits a checkpoint of this moment."""
        state = self.session.state
        assert (broken := state.not_finite()) is None, f"{broken} is about to be saved"
        may_go_back = self.session.experiment.training.divergence.rollback is not None
        stay = self.session.plan.last_saves(state.step) if may_go_back else ()
        self.folder.save(state, {"seconds": self.seconds.to_json()}, stay)

    def _conclude(self) -> None:
        """Measures every split with the weights that are kept, and writes the result."""
        session, state, started = self.session, self.session.state, time.monotonic()
        self.save()
        best = state.best
        with state.holding(kept_network(session.experiment, state)):
            metrics = {
                name: evaluate(
                    state.network, split, session.data.scaling, session.experiment, tables=True
                )
                for name, split in session.data.splits().items()
            }
        self.seconds.evaluation += time.monotonic() - started
        monitor = session.experiment.training.monitor
        result = {
            "schema": 1,
            "run": str(self.folder.path),
            "state": "finished",
            "ended": state.ended or _all_applied(state),
            "seed": session.experiment.training.seed,
            "engine": session.engine.name,
            "device": str(session.machine.device),
            "updates": state.step,
            "skipped": state.skipped,
            "rollbacks": state.rollbacks,
            "epochs": session.plan.epoch_of(state.step),
            "seconds": self.seconds.to_json(),
            "metrics": metrics,
            "best": best and {"step": best.step, "metric": monitor, "value": best.value},
        }
        self.folder.write("result.json", result)
        self.folder.event("finished", step=state.step)
        self.folder.status("finished", state.step)

    def _diverged(self, failure: Failure) -> DivergedError:
        folder, state = self.folder, self.session.state
        folder.event("diverged", step=failure.update, **_evidence(failure))
        folder.give_up("diverged", failure.update)
        before = ""
        if state.skipped:
            before = f"; training.divergence.skip: {state.skipped} is used up"
        elif state.rollbacks:
            before = f"; training.divergence.rollback.max: {state.rollbacks} is used up"
        saved = folder.saved_step
        kept = "no checkpoint was saved yet"
        if saved is not None:
            kept = f"the last good checkpoint is of update {saved}"
        where = f"the evidence is in {folder.path / 'events.jsonl'}"
        return DivergedError(
            f"{failure}{before}; {kept}; {where}",
            remedy=_remedy(self.session.experiment, state),
        )


def _evidence(failure: Failure) -> dict[str, Any]:
    """Returns what is kept of an update that failed; of a large batch, the first rows."""
    return {
        "update": failure.update,
        "what": failure.what,
        "lr": failure.lr,
        "gradient_norms_before": failure.gradient_norms,
        "rows": failure.rows[:MOST_ROWS],
        "batch_size": len(failure.rows),
    }


def _remedy(experiment: Experiment, state: State) -> str:
    """Returns what would have helped a training that stands before an update that failed."""
    if state.not_finite():
        return "smaller first weights: initializer, bias_initializer"
    clipped = experiment.gradient_clipping is not None
    means = ["a lower optimizer.lr, or a tighter gradient_clipping" if clipped else CALMER]
    if experiment.training.precision == "float16":
        means.append("training.precision: bfloat16, whose numbers may be as large as float32's")
    if experiment.training.divergence.rollback is None:
        means.append("training.divergence: {rollback: {}}")
    else:
        means.append("a smaller training.divergence.rollback.lr_factor")
    return ", or ".join(means)


def _all_applied(state: State) -> str:
    return f"all updates applied but {state.skipped}" if state.skipped else "all updates applied"


def kept_network(experiment: Experiment, state: State) -> dict[str, Any]:
    """Returns the tensors that a finished run stands for: the best where early stopping says so."""
    stopping = experiment.regularization.early_stopping
    if stopping is not None and stopping.restore_best and state.best is not None:
        return state.best.network
    return state.network_tensors()


def room_for(session: Session) -> int:
    """Returns how many bytes a run's checkpoints take at most."""
    goes_back = session.experiment.training.divergence.rollback is not None
    return checkpoints.room_for(session.state, goes_back=goes_back)


def start(
    config: Config,
    *,
    runs: Path,
    name: str | None,
    command: list[str],
    at_folder: Callable[[], None] = lambda: None,
    data: Data | None = None,
    heritage: Heritage | None = None,
) -> Training:
    """Makes a run of a config. What can be refused is refused before the folder is made.

    `at_folder` is called just before that: so far one may stop at any moment, and nothing is left.
    `data` are those of the config, if they have been read; `heritage` is what some layers begin
    with, without which it is a training from scratch.
    """
    if name is not None:
        check_name(name)
    seconds = Seconds()
    check_runs_folder(runs, 0)
    session = assemble(config, data, given=heritage.tensors if heritage else None)
    low = check_runs_folder(runs, room_for(session))
    origin = Origin(
        config=to_yaml(session.experiment),
        source=config.text,
        settings=settings(session.experiment),
        config_hash=session.experiment.digest(),
        seed=session.experiment.training.seed,
        command=command,
        environment=session.machine.describe(),
        data=session.data.to_json(),
        heritage=heritage,
    )
    stem = f"{config.name}-{session.experiment.data.name}"
    at_folder()
    folder = RunFolder.create(runs, name, stem, origin)
    return Training(session, folder, seconds, [low] if low else [])
