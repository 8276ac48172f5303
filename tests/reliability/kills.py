"""Processes that write runs, and what is left when they are killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dnnlab.cli.signals import stoppable
from dnnlab.config.read import Config
from dnnlab.errors import RunError
from dnnlab.methods.resume import resume
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import RunFolder
from dnnlab.runs.records import measurements
from dnnlab.training import loop
from dnnlab.training.state import State
from tests.reliability.test_crashes import MOST, ORIGIN, SECONDS, measure, move


@dataclass
class Child:
    """A process that tells how far it has come, a line at a time."""

    pid: int
    reading: int
    said: bytes = b""

    def wait_for(self, lines: int, more: float) -> None:
        """Waits for so many lines, or the end of the process, and then `more` seconds."""
        while self.said.count(b"\n") < lines and (part := os.read(self.reading, 4096)):
            self.said += part
        time.sleep(more)

    def end(self, number: signal.Signals) -> int:
        """Sends a signal, and returns the exit code once it has ended, negative for a signal's."""
        os.kill(self.pid, number)
        while part := os.read(self.reading, 4096):
            self.said += part
        os.close(self.reading)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def in_a_child(work: Callable[[int], None]) -> Child:
    """Runs something in a process of its own; it gets the descriptor to tell its lines through."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: torch has one here
        pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading)
    code = 1
    try:
        os.close(reading)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        work(writing)
        code = 0
    finally:
        os._exit(code)


# --- the writer alone ------------------------------------------------------------------------


@dataclass
class Figures:
    """What was counted while processes were killed."""

    kills: int = 0
    acknowledged: int = 0
    """Checkpoints that were called saved."""
    repeated: int = 0
    """Updates behind the last checkpoint."""
    lost: int = 0
    """Checkpoints or rows that were called saved and are not there, or are not as they were."""


def kill_writers(runs: Path, state: State, times: int, chance: random.Random) -> Figures:
    """Kills a process again and again that does nothing but write one run, and looks what is left.

    It is opened by the next process as a resumed training would.
    """
    figures = Figures()
    for _ in range(times):
        child = in_a_child(lambda to: write_on(runs, state, to))
        child.wait_for(chance.randrange(5), more=chance.uniform(0, 0.02))
        child.end(signal.SIGKILL)
        said = [int(line) for line in child.said.split(b"\n")[:-1]]
        figures.kills += 1
        figures.acknowledged += len(said)
        last = max(said, default=0)
        if not (runs / "it" / "run.json").exists():
            figures.lost += bool(said)
            continue
        run = RunFolder.reopen(runs / "it")
        try:
            newest, damaged = run.load(MOST)
            step = newest.step if newest else 0
            written = [row["step"] for row in measurements(runs / "it") if row["step"] <= step]
            figures.lost += step < last or bool(damaged) or written != list(range(1, step + 1))
            if newest is not None:
                newest.fill(state)
                values = state.weights.clone()
                move(state, step)
                figures.lost += not bool((values == state.weights).all())
            figures.repeated += max(
                (row["step"] - step for row in measurements(runs / "it")), default=0
            )
        except RunError:
            figures.lost += 1
        finally:
            run.close()
    return figures


def write_on(runs: Path, state: State, to: int) -> None:
    """Begins the run or goes on with it, and tells through a pipe of each step that is saved."""
    if (runs / "it" / "run.json").exists():
        run = RunFolder.reopen(runs / "it")
        newest, _ = run.load(MOST)
        step = newest.step if newest else 0
        run.begin_segment("resumed", step=step)
    else:
        for left in runs.glob("it"):
            left.rename(left.with_name(f"no-run-{time.monotonic_ns()}"))
        run, step = RunFolder.create(runs, "it", "it", ORIGIN), 0
    while True:
        for _ in range(3):
            step += 1
            measure(run, step)
        move(state, step)
        run.save(state, SECONDS)
        os.write(to, f"{step}\n".encode())


# --- whole trainings -------------------------------------------------------------------------


def train_through(
    config: Config,
    runs: Path,
    name: str,
    *,
    times: int,
    number: signal.Signals,
    looks: int,
    chance: random.Random,
) -> tuple[Path, int]:
    """Trains a config to its end although up to `times` processes get a signal, each at a random
    moment within its first `looks` looks. Returns the run and how many were hit in mid-training.
    """
    hits = 0
    for _ in range(times):
        child = in_a_child(lambda to: train_on(config, runs, name, to))
        child.wait_for(chance.randrange(looks), more=chance.uniform(0, 0.01))
        code = child.end(number)
        assert code in (0, -number, 130, 143), code
        hits += code != 0
        if (runs / name / "result.json").exists():
            break
    path = runs / name
    if not (path / "result.json").exists():
        for _ in opened(config, runs, name).carry_on():
            pass
    newest, damaged = checkpoints.load_newest(path / "checkpoints")
    assert newest is not None
    assert damaged == {}
    return path, hits


def train_on(config: Config, runs: Path, name: str, to: int) -> None:
    loop.MOST_UPDATES = 2  # so short a training would be over between two looks
    with stoppable() as stop:
        stop.watch()
        training = opened(config, runs, name)
        try:
            for _ in training.carry_on(stop):
                os.write(to, b"\n")
        except Interrupted:
            os._exit(stop.exit_code)


def opened(config: Config, runs: Path, name: str) -> Training:
    """Begins a run, or goes on with what a killed process has left of it."""
    if (runs / name / "run.json").exists():
        return resume(runs / name)
    if (runs / name).exists():  # killed while it was made: no run yet
        (runs / name).rename(runs / f"{name}-{time.monotonic_ns()}")
    return start(config, runs=runs, name=name, command=[])
