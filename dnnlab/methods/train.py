"""Training inside a run folder: `fit`, with what it measures and saves written down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dnnlab.config.read import Config
from dnnlab.config.write import to_yaml
from dnnlab.errors import DivergedError
from dnnlab.experiment import Experiment
from dnnlab.methods.session import Session, assemble
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import Origin, RunFolder
from dnnlab.runs.names import check_name
from dnnlab.training.evaluation import evaluate
from dnnlab.training.loop import NonFinite, Progress, fit
from dnnlab.training.machine import memory_of
from dnnlab.training.state import State

CALMER = "a lower optimizer.lr, or gradient_clipping: {norm: 1.0}"
"""What helps against numbers that are not finite."""


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
        Raises DivergedError if something is not finite; the last good checkpoint stays.
        """
        session, state = self.session, self.session.state
        self.folder.status("running", state.step)
        try:
            for progress in self._timed_fit():
                for record in progress.records:
                    self.folder.record(record, self.seconds.total)
                if session.plan.saves_at(state.step) or state.ended:
                    self.save()
                    self.folder.status("running", state.step)
                yield progress
                if stop():
                    self.save()
                    self.folder.event("interrupted", step=state.step)
                    self.folder.status("interrupted", state.step)
                    raise Interrupted(state.step)
            self._conclude()
        except NonFinite as error:
            raise self._diverged(error) from error
        except Interrupted:
            raise
        except Exception:
            self.folder.status("failed", state.step)
            raise
        finally:
            self.folder.close()

    def _timed_fit(self) -> Iterator[Progress]:
        session = self.session
        steps = fit(session.experiment, session.plan, session.state, session.data, session.engine)
        while True:
            started = time.monotonic()
            with memory_of(session.machine.device):
                progress = next(steps, None)
            if progress is None:
                return
            self.seconds.evaluation += progress.evaluation_seconds
            self.seconds.training += time.monotonic() - started - progress.evaluation_seconds
            yield progress

    def save(self) -> None:
        """Commits a checkpoint of this moment."""
        self.folder.save(self.session.state, {"seconds": self.seconds.to_json()})

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
            "ended": state.ended or "all updates applied",
            "seed": session.experiment.training.seed,
            "engine": session.engine.name,
            "device": str(session.machine.device),
            "updates": state.step,
            "epochs": session.plan.epoch_of(state.step),
            "seconds": self.seconds.to_json(),
            "metrics": metrics,
            "best": best and {"step": best.step, "metric": monitor, "value": best.value},
        }
        self.folder.write("result.json", result)
        self.folder.event("finished", step=state.step)
        self.folder.status("finished", state.step)

    def _diverged(self, error: NonFinite) -> DivergedError:
        failure, path = error.failure, self.folder.path
        evidence = {
            "what": failure.what,
            "lr": failure.lr,
            "gradient_norms_before": failure.gradient_norms,
            "rows": failure.rows,
        }
        self.folder.event("diverged", step=failure.update, **evidence)
        self.folder.status("diverged", failure.update)
        saved = checkpoints.steps(path / "checkpoints")
        kept = f"the last good checkpoint is of update {saved[-1]}" if saved else "none was saved"
        return DivergedError(f"{failure}; {kept}", remedy=CALMER)


def kept_network(experiment: Experiment, state: State) -> dict[str, Any]:
    """Returns the tensors that a finished run stands for: the best where early stopping says so."""
    stopping = experiment.regularization.early_stopping
    if stopping is not None and stopping.restore_best and state.best is not None:
        return state.best.network
    return state.network_tensors()


def start(config: Config, *, runs: Path, name: str | None, command: list[str]) -> Training:
    """Makes a run of a config. What can be refused is refused before the folder is made."""
    if name is not None:
        check_name(name)
    seconds = Seconds()
    session = assemble(config)
    origin = Origin(
        config=to_yaml(session.experiment),
        source=config.text,
        config_hash=session.experiment.digest(),
        seed=session.experiment.training.seed,
        command=command,
        environment=session.machine.describe(),
        data=session.data.to_json(),
    )
    stem = f"{config.name}-{session.experiment.data.name}"
    return Training(session, RunFolder.create(runs, name, stem, origin), seconds)
