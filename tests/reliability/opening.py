"""Opening a run folder in every way there is, within bounds of time and memory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor

from dnnlab.choices.datasets import Dataset
from dnnlab.config.read import read
from dnnlab.errors import DnnlabError
from dnnlab.experiment import Experiment
from dnnlab.methods import evaluate, session
from dnnlab.methods.evaluate import evaluate_split
from dnnlab.methods.predict import predict_split
from dnnlab.methods.resume import Terms, resume
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.methods.trained import load_trained
from dnnlab.runs import checkpoints, lock
from dnnlab.runs.listing import list_runs
from dnnlab.training import machine
from dnnlab.training.data import Data, Scaling, prepare_for
from dnnlab.training.examination import Examiner

TEXT = """
data: {name: digits, standardize: none}
architecture: {name: mlp, hidden: [2]}
normalization: batch
optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
schedule: {name: performance, patience: {updates: 2}}
regularization: {dropout: 0.1, early_stopping: {patience: {updates: 100}}}
training:
  epochs: {updates: 9}
  batch_size: 8
  evaluate_every: {updates: 2}
  checkpoint_every: {updates: 3}
  threads: 1
"""
"""Everything that a state can hold, and small."""
STOP = 4
"""The update at which `interrupted_run` is stopped; it has a checkpoint of update 3 too."""
SECONDS = 20
"""More than opening a run may ever take, on a machine busy with other things."""
MEMORY = 2**30
"""Bytes that opening a run may take beyond what the process has."""


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Lets data be prepared, and dnnlab's own files be read, only once: a run is opened often."""
    known: dict[tuple[Dataset, str], Data] = {}

    def prepared(
        experiment: Experiment, examine: Examiner | None = None, scaling: Scaling | None = None
    ) -> Data:
        key = experiment.data, experiment.task
        if key not in known:
            known[key] = prepare_for(experiment)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "_code", cache(machine._code))
        patch.setattr(session, "prepare_for", prepared)
        patch.setattr(evaluate, "prepare_for", prepared)
        yield


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder for copies of runs: in memory where there is one, for they are written often."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="dnnlab-test-", dir=memory) as folder:
        yield Path(folder)


def interrupted_run(folder: Path) -> Path:
    """Makes a run that was stopped between two checkpoints."""
    (folder / "tiny.yaml").write_text(TEXT, encoding="utf-8")
    training = start(read(folder / "tiny.yaml"), runs=folder / "runs", name="stopped", command=[])
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: training.session.state.step >= STOP):
            pass
    assert checkpoints.steps(training.folder.checkpoints) == [3, STOP]
    return training.folder.path


@dataclass
class Outcome:
    """What came of opening a run in every way."""

    errors: dict[str, DnnlabError] = field(default_factory=dict)
    """By what was done; everything else worked."""
    entry: dict[str, Any] = field(default_factory=dict)
    """What `dnnlab runs` knows of the run."""
    notes: list[str] = field(default_factory=list)
    """What whoever resumes it is told."""
    kept: dict[str, Tensor] = field(default_factory=dict)
    """The tensors that were loaded before it was resumed, if that was possible."""
    kept_notes: tuple[str, ...] = ()
    end: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    """The tensors at its end, if it came to one."""

    def refused(self, what: str) -> str:
        """Returns the message with which something was refused."""
        assert what in self.errors, f"{what} worked"
        return self.errors[what].message


WAYS = ("list", "load", "reopen")
"""What reads every file of a run."""
ALL_WAYS = ("list", "load", "evaluate", "predict", "resume")
"""The same, with what follows: evaluating, predicting, and training to the end."""


def opened(run: Path, *, ways: tuple[str, ...] = WAYS, terms: Terms | None = None) -> Outcome:
    """Opens a run in every way. Raises what is no DnnlabError, and whatever takes too much."""
    outcome = Outcome()

    def attempt(what: str, act: Callable[[], None]) -> None:
        if what not in ways:
            return
        try:
            with bounded():
                act()
        except DnnlabError as error:
            outcome.errors[what] = error

    def look() -> None:
        entries = [entry for entry in list_runs(run.parent) if entry["run"] == run.name]
        outcome.entry = entries[0] if entries else {}

    def load() -> None:
        trained = load_trained(run)
        outcome.kept = trained.state.copy_of_network()
        outcome.kept_notes = trained.notes

    def reopen() -> Training:
        training = resume(run, terms)
        outcome.notes = training.notes
        return training

    def carry_on() -> None:
        training = reopen()
        for _ in training.carry_on():
            pass
        outcome.end = training.session.state.tensors()

    attempt("list", look)
    attempt("load", load)
    attempt("evaluate", lambda: void(evaluate_split(load_trained(run), "test")))
    attempt("predict", lambda: void(predict_split(load_trained(run), "test").to_csv()))
    attempt("reopen", lambda: reopen().folder.close())
    attempt("resume", carry_on)
    torch.set_flush_denormal(False)  # as dnnlab computes, but hypothesis makes such numbers
    assert "list" not in outcome.errors, "one bad run hides all others"
    with bounded():
        assert not lock.is_taken(run), "the lock was not let go of"
    return outcome


def void(_: object) -> None:
    """Takes a result that does not matter."""


class Hangs(BaseException):
    """Something takes far too long."""


@contextmanager
def bounded(*, seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[None]:
    """Raises Hangs after so many seconds; more memory is not to be had."""
    import resource

    def hangs(signum: int, frame: FrameType | None) -> None:
        raise Hangs(f"it takes more than {seconds} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    statm = Path("/proc/self/statm")
    if statm.exists():
        taken = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory, hard))
    before = signal.signal(signal.SIGALRM, hangs)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def copied(run: Path, folder: Path, name: str = "copy") -> Path:
    """Returns a copy of a run, alone in its runs folder."""
    target = folder / "copies" / name / run.name
    shutil.copytree(run, target, symlinks=True)
    return target


def newest(run: Path) -> Path:
    """Returns the folder of a run's newest checkpoint."""
    folder = run / "checkpoints"
    return checkpoints.folder_of(folder, checkpoints.steps(folder)[-1])


def seal(step: Path) -> None:
    """Writes a manifest that fits the files of a checkpoint, whatever they hold."""
    files = {
        path.name: {
            "size": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(step.iterdir())
        if path.name != "manifest.json"
    }
    (step / "manifest.json").write_text(json.dumps({"schema": 1, "files": files}))


def keys_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the way to everything in a JSON value; of a list, to its first entry only."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from keys_of(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from keys_of(value[0], (*path, 0))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Returns a JSON value with something else at the end of a way."""
    if not path:
        return new
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new) if path[1:] else new
    return copy


def replaced(path: Path, content: bytes) -> None:
    """Gives a file other content; what stood there, a link or a pipe, goes."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
    path.write_bytes(content)
