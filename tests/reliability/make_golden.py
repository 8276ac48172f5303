"""Writes the golden runs of the present schema: `python -m tests.reliability.make_golden`.

That is done once, when a schema is released. From then on what lies in golden/schema-N is what a
user's run of that time looks like, and every later dnnlab has to open it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dnnlab.config.read import read
from dnnlab.methods.evaluate import evaluate_split
from dnnlab.methods.predict import predict_split
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.methods.trained import load_trained
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import SCHEMA
from dnnlab.runs.listing import list_runs
from dnnlab.training import loop

GOLDEN = Path(__file__).parent / "golden"
CONFIG = """\
# A state with something in every part of it.
data: digits
architecture: {name: mlp, hidden: [4]}
normalization: batch
optimizer: {name: sgd, lr: 0.05, momentum: 0.9}
schedule: {name: performance, patience: {updates: 6}, min_delta: 0.3, factor: 0.9}
regularization: {dropout: 0.1, early_stopping: {patience: {updates: 100}}}
training:
  epochs: {updates: 40}
  batch_size: 32
  evaluate_every: {updates: 6}
  checkpoint_every: {updates: 8}
  threads: 1
"""
INTERRUPTED_AT = 21
KILLED_AT = 31
"""Behind the checkpoints of updates 16 and 24 and the record of 30."""
PREDICTIONS = 3
"""Examples of which the probabilities are kept."""


def make(folder: Path) -> None:
    """Writes the runs and what they are worth into a folder."""
    with _far_away(folder):
        Path("golden.yaml").write_text(CONFIG, encoding="utf-8")
        _finish(_begin("finished"))
        _stop(_begin("interrupted"))
        _kill(_begin("killed"))
        expected = {path.name: _worth(path) for path in sorted(Path("runs").iterdir())}
        for entry in list_runs(Path("runs")):
            expected[entry["run"]]["listed"] = {key: entry[key] for key in ("state", "step")}
        text = json.dumps(expected, indent=1) + "\n"
        Path("runs", "expected.json").write_text(text, encoding="utf-8")
        shutil.copytree("runs", folder, dirs_exist_ok=True)


@contextmanager
def _far_away(folder: Path) -> Iterator[None]:
    """Works in a folder of its own, in no repository, on a machine without a name."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr(platform, "node", lambda: "golden")
        patch.setattr(loop, "MOST_UPDATES", 1)
        os.chdir(place)
        try:
            yield
        finally:
            os.chdir(here)


def _begin(name: str) -> Training:
    command = ["dnnlab", "train", "golden.yaml", "--name", name]
    return start(read("golden.yaml"), runs=Path("runs"), name=name, command=command)


def _finish(training: Training) -> None:
    for _ in training.carry_on():
        pass


def _stop(training: Training) -> None:
    state = training.session.state
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: state.step >= INTERRUPTED_AT):
            pass


def _kill(training: Training) -> None:
    """Leaves the run as a kill and a bad disk do."""
    steps = training.carry_on()
    while training.session.state.step < KILLED_AT:
        next(steps)
    steps.close()  # type: ignore[attr-defined]
    folder = training.folder.checkpoints
    newest = checkpoints.folder_of(folder, checkpoints.steps(folder)[-1]) / "network.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    debris = folder / ".step-000000032.4711.tmp"
    debris.mkdir()
    (debris / "network.safetensors").write_bytes(newest.read_bytes()[:500])
    with (training.folder.path / "metrics.jsonl").open("ab") as log:
        log.write(b'{"v": 1, "segment": 0, "step": 36, "epo')


def _worth(run: Path) -> dict[str, Any]:
    """Returns what evaluating and predicting give."""
    trained = load_trained(run)
    outputs = predict_split(trained, "test").outputs[:PREDICTIONS]
    return {
        "step": trained.step,
        "metrics": evaluate_split(trained, "test")["metrics"],
        "probabilities": outputs.round(6).tolist(),
    }


def main() -> None:
    """Writes the golden runs, unless there are some of this schema already."""
    folder = GOLDEN / f"schema-{SCHEMA}"
    if folder.exists():
        sys.exit(f"{folder} is there: runs of that schema are out, and it stays as it is")
    make(folder)


if __name__ == "__main__":
    main()
