"""Whoever reads runs while another process writes them is told what is there, and never fails."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from dnnlab.config.read import Config, read
from dnnlab.errors import RunError
from dnnlab.methods.train import start
from dnnlab.methods.trained import load_trained
from dnnlab.runs import checkpoints, records
from dnnlab.runs.listing import list_runs
from dnnlab.runs.records import measurements
from dnnlab.training.loop import Record
from dnnlab.training.state import Best
from tests.reliability.kills import in_a_child
from tests.reliability.opening import TEXT, quick, shelf

__all__ = ["quick", "shelf"]

SECONDS = {"seconds": {"total": 1.0, "training": 1.0, "evaluation": 0.0}}
STEPS = 40
SAVED_EVERY = 2
BEST_EVERY = 14
REPEATED = 21
"""From this step on they are measured again, as after a kill."""
ENOUGH = {"running": 60, "finished": 60, "loaded": 90, "measured": 90}
"""How often something has to be seen; that takes two seconds."""
AT_MOST = 60.0
"""Seconds in which it is, on the busiest of machines."""
NOT_YET = ("has no checkpoint yet", "the run has no best")


def write_on(config: Config, runs: Path, to: int) -> None:
    """Makes one run after the other, and tells of each that is finished."""
    number = 0
    while True:
        write_one(config, runs, f"run-{number:04d}")
        os.write(to, b"\n")
        number += 1


def write_one(config: Config, runs: Path, name: str) -> None:
    """Writes all that a training does, as fast as it can be written."""
    training = start(config, runs=runs, name=name, command=[])
    folder, state = training.folder, training.session.state
    steps = [*range(1, REPEATED + 4), *range(REPEATED, STEPS + 1)]
    for number, step in enumerate(steps):
        if number and step < steps[number - 1]:
            folder.begin_segment("resumed", step=step - 1)
        folder.record(Record(step, step, "train", {"loss": 1 / step}), seconds=float(number))
        folder.status("running", step)
        if step % SAVED_EVERY:
            continue
        state.step = step
        state.weights.fill_(step)
        if step % BEST_EVERY == 0:
            state.best = Best(step, 1 / step, state.copy_of_network())
        folder.save(state, SECONDS)
    metrics = {"train": {"loss": 0.1}, "test": {"loss": 0.1}}
    result = {"metrics": metrics, "best": None, "seconds": SECONDS["seconds"]}
    folder.write("result.json", {"schema": 1, **result})
    folder.status("finished", STEPS)
    folder.close()


def slowly(open_file: Callable[[Path], BinaryIO]) -> Callable[[Path], BinaryIO]:
    """Returns it with pauses in which much can be written."""
    chance = random.Random(0)

    def opened(path: Path) -> BinaryIO:
        time.sleep(chance.choice([0, 0, 0.002, 0.01]))
        return open_file(path)

    return opened


class Seen:
    """What was read, and that it can be."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.known: dict[Path, int] = {}

    @property
    def enough(self) -> bool:
        return all(self.counts[what] >= number for what, number in ENOUGH.items())

    def listed(self, entry: dict[str, Any]) -> None:
        assert entry["state"] in ("running", "finished")
        assert 0 <= entry["step"] <= STEPS
        assert entry["created"].startswith("20")
        if entry["state"] == "finished":
            assert entry["test"] == {"loss": 0.1}
        self.counts[entry["state"]] += 1

    def loaded(self, path: Path, which: str) -> None:
        made = (path / "run.json").exists()
        known = max(checkpoints.steps(path / "checkpoints"), default=0)
        try:
            trained = load_trained(path, which=which)
        except RunError as error:
            clean = not made or any(words in error.message for words in NOT_YET)
            if not clean or (known and "no checkpoint" in error.message):
                raise
            return
        assert trained.notes == ()
        assert trained.state.step % SAVED_EVERY == 0
        assert trained.state.step >= known
        if which == "best" or (which == "kept" and trained.state.best):
            assert trained.step % BEST_EVERY == 0
        assert bool((trained.state.weights == trained.step).all())
        self.known[path] = trained.state.step
        self.counts["loaded"] += 1

    def measured(self, path: Path) -> None:
        steps = [row["step"] for row in measurements(path)]
        assert steps == list(range(1, len(steps) + 1))
        assert len(steps) >= min(REPEATED, self.known.get(path, 0))
        self.counts["measured"] += bool(steps)


def test_the_writer_needs_no_reader(tmp_path: Path, shelf: Path, quick: None) -> None:
    """What the child does, here: where it fails, this says how."""
    (tmp_path / "tiny.yaml").write_text(TEXT, encoding="utf-8")
    write_one(read(tmp_path / "tiny.yaml"), shelf, "run")
    seen = Seen()
    for entry in list_runs(shelf):
        seen.listed(entry)
    for which in ("kept", "best", "last"):
        seen.loaded(shelf / "run", which)
    seen.measured(shelf / "run")
    assert dict(seen.counts) == {"finished": 1, "loaded": 3, "measured": 1}
    with pytest.raises(RunError, match="has no checkpoint of step 2; it has 28, 38, 40"):
        load_trained(shelf / "run", which="2")


def test_reading_while_another_process_writes(
    tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.yaml").write_text(TEXT, encoding="utf-8")
    config, runs, seen = read(tmp_path / "tiny.yaml"), shelf / "runs", Seen()
    child = in_a_child(lambda to: write_on(config, runs, to))
    monkeypatch.setattr(checkpoints, "open_file", slowly(records.open_file))
    try:
        end = time.monotonic() + AT_MOST
        while not seen.enough and time.monotonic() < end:
            for path in sorted(runs.glob("run-*"))[-2:]:
                for which in ("kept", "best", "last"):
                    for entry in list_runs(runs):
                        seen.listed(entry)
                    seen.loaded(path, which)
                    seen.measured(path)
    finally:
        code = child.end(signal.SIGKILL)
    assert code == -signal.SIGKILL, "the writer failed"
    assert seen.enough, f"{seen.counts}, {len(child.said)} runs were finished"
