"""A power cut at any moment loses nothing that was called saved."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from dnnlab.errors import RunError
from dnnlab.runs.folder import Origin, RunFolder
from dnnlab.runs.records import measurements, read_json, read_rows
from dnnlab.training.loop import Record
from dnnlab.training.state import Best, State
from tests.reliability import crashes
from tests.reliability.systems import Call, Noting, on
from tests.support import session_of

TEXT = """
data: digits
architecture: {name: mlp, hidden: [2]}
optimizer: {name: sgd, momentum: 0.9}
training: {epochs: {updates: 10}, batch_size: 10, threads: 1}
"""
ORIGIN = Origin(
    config="data: digits\n",
    source=b"data: digits\n",
    settings={"data": "digits"},
    config_hash="abc",
    seed=7,
    command=["dnnlab", "train"],
    environment={"torch": "2"},
    data={"fingerprint": "f"},
)
SECONDS = {"seconds": {"total": 1.0, "training": 1.0, "evaluation": 0.0}}
RUN = "runs/it"
MOST = 2**20


def measure(folder: RunFolder, step: int) -> None:
    folder.record(Record(step, step, "train", {"loss": step / 10}), seconds=1.0)


def move(state: State, step: int) -> None:
    """Gives every step weights of its own."""
    state.step = step
    state.weights.copy_(torch.arange(len(state.weights)) + 100 * step)


def train_a_little(system: Noting, state: State, root: Path) -> None:
    """What a training writes, in the order in which it does, with two processes after another."""
    folder = RunFolder.create(root / "runs", "it", "it", ORIGIN)
    system.say("created", "")
    measure(folder, 1)
    for step in (2, 4, 6):
        advance(system, folder, state, step)
    folder.status("running", 6)
    system.say("status", "6")
    folder.close()
    system.say("rows", "7")
    again = RunFolder.reopen(root / RUN)
    again.load(MOST)
    again.begin_segment("resumed", step=6, notes=[])
    system.say("event", "resumed")
    measure(again, 7)
    for step in (8, 10):
        advance(system, again, state, step)
    again.write("result.json", {"schema": 1})
    system.say("result", "")
    again.status("finished", 10)
    system.say("status", "10")
    again.close()
    system.say("rows", "12")


def advance(system: Noting, folder: RunFolder, state: State, step: int) -> None:
    measure(folder, step)
    move(state, step)
    if step == 4:
        state.best = Best(4, 0.5, state.copy_of_network())
    folder.save(state, SECONDS)
    system.say("saved", str(step))
    measure(folder, step + 1)  # beyond the checkpoint: whoever resumes measures it again


@dataclass
class Promises:
    """What the writer has said is done."""

    created: bool = False
    saved: int = 0
    events: list[str] = field(default_factory=list)
    result: bool = False
    status: int = 0
    """The step that status.json tells, at least."""
    rows: int = 0
    """Lines of the log of measurements."""

    def take(self, said: str) -> None:
        what, _, detail = said.partition(" ")
        if what == "saved":
            self.saved = int(detail)
        elif what == "event":
            self.events.append(detail)
        elif what == "status":
            self.status = int(detail)
        elif what == "rows":
            self.rows = int(detail)
        elif what == "created":
            self.created = True
            self.events.append("started")
        else:
            self.result = True

    @property
    def key(self) -> tuple[object, ...]:
        return (self.created, self.saved, len(self.events), self.result, self.status, self.rows)


def violations(run: Path, promises: Promises, expected: dict[int, torch.Tensor]) -> list[str]:
    """Opens a run as `resume` does, and returns what is not as promised."""
    try:
        read_json(run / "run.json")
    except RunError:  # without it a folder is no run, and nobody has been told of one
        return ["the run is gone"] if promises.created else []
    try:
        folder = RunFolder.reopen(run)
    except RunError as error:
        return [f"cannot be opened: {error}"]
    found = list(files_broken(run, promises))
    try:
        newest, damaged = folder.load(MOST)
        step = newest.step if newest else 0
        if step < promises.saved:
            found.append(f"saved {promises.saved}, newest is {step}: {damaged}")
        if newest is not None:
            weights = torch.cat([t.flatten() for t in newest.tensors["network"].values()])
            if not torch.equal(weights.sort().values, expected[step].sort().values):
                found.append(f"checkpoint {step} has other weights")
        folder.begin_segment("resumed", step=step)
        rows = [row["step"] for row in measurements(run)]
        if rows != list(range(1, step + 1)):
            found.append(f"rows {rows}, and the checkpoint is of {step}")
    except RunError as error:
        found.append(f"cannot be loaded: {error}")
    finally:
        folder.close()
    left = [p.name for p in (run / "checkpoints").iterdir() if p.name.startswith(".")]
    left += [p.name for p in run.iterdir() if p.name.endswith(".tmp")]
    if left:
        found.append(f"debris {left}")
    return found


def files_broken(run: Path, promises: Promises) -> Iterator[str]:
    wanted = ["settings.json", "data.json", "environment.json"] if promises.created else []
    wanted += ["result.json"] if promises.result else []
    for name in wanted:
        try:
            read_json(run / name)
        except RunError as error:
            yield str(error)
    told = [row["event"] for row in read_rows(run / "events.jsonl")]
    if told[: len(promises.events)] != promises.events:
        yield f"events {told} do not begin with {promises.events}"
    if (rows := len(read_rows(run / "metrics.jsonl"))) < promises.rows:
        yield f"{rows} rows of {promises.rows}"
    if promises.created:
        if (run / "config.yaml").read_text() != ORIGIN.config:
            yield "config.yaml is not whole"
        if (run / "config.source.yaml").read_bytes() != ORIGIN.source:
            yield "config.source.yaml is not whole"
        try:
            step = read_json(run / "status.json")["step"]
            if step < promises.status:
                yield f"status of {step}, not {promises.status}"
        except RunError as error:
            yield str(error)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[Call]:
    root = tmp_path_factory.mktemp("noted")
    state = session_of(TEXT, folder=root).state
    system = Noting(root)
    with on(system):
        train_a_little(system, state, root)
    return system.calls


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[int, torch.Tensor]:
    state = session_of(TEXT, folder=tmp_path_factory.mktemp("expected")).state
    found = {}
    for step in (2, 4, 6, 8, 10):
        move(state, step)
        found[step] = state.weights.clone()
    return found


def replay(
    calls: list[Call],
    expected: dict[int, torch.Tensor],
    seen: set[str],
    *,
    begin: int = 0,
    stop_at_first: bool = False,
) -> list[str]:
    """Cuts the power after every call from `begin` on. Returns what was wrong with the states that
    gave; those in `seen` are known to be good, and it grows.
    """
    model, promises, chance = crashes.Model(), Promises(), random.Random(0)
    found: list[str] = []
    for number, call in enumerate(calls):
        model.apply(call)
        if call.what == "said":
            promises.take(call.path)
        if number < begin:
            continue
        for tree in model.states(chance):
            key = json.dumps([promises.key, sorted((p, str(c)) for p, c in tree.items())])
            if key in seen or RUN not in tree:
                lost = promises.created and RUN not in tree
                found += [f"after {call}: the run's folder is gone"] if lost else []
                continue
            folder = Path(tempfile.mkdtemp(dir=memory()))
            try:
                crashes.write(tree, folder)
                wrong = violations(folder / RUN, promises, expected)
            finally:
                shutil.rmtree(folder)
            found += [f"after call {number}, {call}: {each}" for each in wrong]
            if not wrong:
                seen.add(key)
            elif stop_at_first:
                return found
    return found


def memory() -> str | None:
    """Returns a folder in memory, where there is one: thousands of states are written."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def test_no_state_of_the_disk_breaks_a_promise(
    calls: list[Call], expected: dict[int, torch.Tensor]
) -> None:
    seen: set[str] = set()
    found = replay(calls, expected, seen)
    assert found[:5] == []
    assert len(seen) > 500


def syncs(calls: list[Call]) -> list[int]:
    return [at for at, call in enumerate(calls) if call.what.startswith("fsync")]


def test_every_fsync_is_needed(calls: list[Call], expected: dict[int, torch.Tensor]) -> None:
    """The negative control: without any one of them, some state breaks a promise."""
    seen: set[str] = set()
    idle = []
    for at in syncs(calls):
        without = [*calls[:at], *calls[at + 1 :]]
        if not replay(without, expected, seen, begin=at, stop_at_first=True):
            idle.append(f"{at} {calls[at]}")
    print("\n".join(idle))
    assert idle == []
