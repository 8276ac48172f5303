"""Stopped anywhere and resumed, a run gives the same bits as uninterrupted: for every choice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from dnnlab import disk
from dnnlab.choices.schedules import Plateau
from dnnlab.config.read import read
from dnnlab.methods.resume import resume
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import RunFolder
from dnnlab.runs.records import measurements, read_json, read_rows
from dnnlab.training import loop
from dnnlab.training.loop import Progress
from dnnlab.training.state import State, Tally
from tests.support import same_tensors
from tests.variations import CHOICES, EXPLODES, EXPLODES_AT_ONCE, HUGE_ROW, OTHERS, text_of

VARIATIONS = [lines for _, _, lines in CHOICES] + OTHERS
STOPS = [1, 5, 6, 8, 13]
"""Before the first record, at a checkpoint, in mid-epoch, at an evaluation, before the last."""


def begin(folder: Path, lines: str, name: str) -> Training:
    path = folder / "tiny.yaml"
    path.write_text(text_of(lines, folder), encoding="utf-8")
    return start(read(path), runs=folder / "runs", name=name, command=[])


def finish(training: Training) -> Path:
    for _ in training.carry_on():
        pass
    return training.folder.path


def stop_at(training: Training, step: int) -> Path:
    """Stops at the first look at or after `step`, saving, as Ctrl-C does."""
    state = training.session.state
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: state.step >= step):
            pass
    return training.folder.path


def records(path: Path) -> list[dict[str, Any]]:
    """Returns the records that count, without what a clock or an interruption may change."""
    rows = measurements(path)
    return [{k: v for k, v in row.items() if k not in ("seconds", "segment")} for row in rows]


def end_of(path: Path) -> checkpoints.Checkpoint:
    newest, damaged = checkpoints.load_newest(path / "checkpoints")
    assert newest is not None
    assert damaged == {}
    return newest


def differences(left: Path, right: Path) -> list[str]:
    """Names what differs between two finished runs; nothing if they are the same to the bit."""
    one, other = end_of(left), end_of(right)
    found = [
        group
        for group in one.tensors
        if not same_tensors(one.tensors[group], other.tensors.get(group, {}))
    ]
    if one.state["state"] != other.state["state"]:
        found.append("numbers")
    if records(left) != records(right):
        found.append("records")
    if read_json(left / "result.json")["metrics"] != read_json(right / "result.json")["metrics"]:
        found.append("result")
    return found


@pytest.mark.parametrize("lines", VARIATIONS, ids=lambda lines: lines.replace("\n", "; ")[:60])
def test_interrupted_anywhere_and_resumed(lines: str, tmp_path: Path) -> None:
    """One run is stopped at every one of these moments: a bit lost at any of them shows at the end.

    Only if it does, each stop is tried by itself, to name the one that loses it.
    """
    whole = finish(begin(tmp_path, lines, "whole"))
    first, *others = [step for step in STOPS if step < end_of(whole).step]
    path = stop_at(begin(tmp_path, lines, "stopped"), first)
    for step in others:
        stop_at(resume(path), step)
    if differences(whole, finish(resume(path))):
        for step in (first, *others):
            path = stop_at(begin(tmp_path, lines, f"stopped-{step}"), step)
            assert differences(whole, finish(resume(path))) == [], f"stopped at {step}"
        pytest.fail("stopped several times")


@pytest.mark.parametrize("lines", VARIATIONS[::4], ids=lambda lines: lines.replace("\n", "; ")[:60])
def test_killed_between_checkpoints_and_resumed_from_an_older_one(
    lines: str, tmp_path: Path
) -> None:
    """What SIGKILL leaves: records beyond the newest checkpoint, and a torn line."""
    whole = finish(begin(tmp_path, lines, "whole"))
    stop = min(12, end_of(whole).step - 1)  # early stopping may have ended it
    path = stop_at(begin(tmp_path, lines, "killed"), stop)
    folder = path / "checkpoints"
    for step in checkpoints.steps(folder)[1:]:
        for file in checkpoints.folder_of(folder, step).iterdir():
            file.unlink()
        checkpoints.folder_of(folder, step).rmdir()
    with (path / "metrics.jsonl").open("ab") as log:
        log.write(b'{"v": 1, "segment": 0, "st')
    again = resume(path)
    assert again.session.state.step < stop
    assert any("are applied again" in note for note in again.notes)
    assert differences(whole, finish(again)) == []


def test_killed_before_the_first_checkpoint_it_begins_again_and_says_so(tmp_path: Path) -> None:
    whole = finish(begin(tmp_path, "", "whole"))
    path = stop_at(begin(tmp_path, "", "killed"), 3)
    for step in checkpoints.steps(path / "checkpoints"):
        disk.remove_folder(checkpoints.folder_of(path / "checkpoints", step))
    again = resume(path)
    assert again.session.state.step == 0
    assert again.notes[0].startswith("it was stopped before its first checkpoint")
    assert differences(whole, finish(again)) == []


def test_interrupted_many_times(tmp_path: Path) -> None:
    lines = "optimizer: nadam\nschedule: one_cycle\nregularization: {dropout: 0.2}"
    whole = finish(begin(tmp_path, lines, "whole"))
    path = stop_at(begin(tmp_path, lines, "often"), 1)
    for step in (2, 4, 7, 11):
        stop_at(resume(path), step)
    assert differences(whole, finish(resume(path))) == []
    assert read_rows(path / "metrics.jsonl")[-1]["segment"] == 5


FAILING = [EXPLODES, EXPLODES_AT_ONCE, HUGE_ROW]


def look_up_always(training: Training) -> Generator[Progress]:
    """Yields after every update, so that something can happen before, at and after each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "MOST_UPDATES", 1)
        yield from training.carry_on()


def kill_after(training: Training, looks: int) -> Path:
    """Leaves the run as a kill does: nothing is saved any more."""
    steps = look_up_always(training)
    for _ in range(looks):
        next(steps)
    steps.close()
    return training.folder.path


@pytest.mark.parametrize("lines", FAILING, ids=["explodes", "at once", "huge row"])
def test_stopped_at_every_update_before_and_after_numbers_were_not_finite(
    lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So often that the checkpoint to go back to is not among the newest any more."""
    whole = finish(begin(tmp_path, lines, "whole"))
    training = begin(tmp_path, lines, "stopped")
    monkeypatch.setattr(loop, "MOST_UPDATES", 1)
    stops = 0
    while stops < 50 and stops_at_once(training):
        training, stops = resume(training.folder.path), stops + 1
    assert 14 <= stops < 50
    assert differences(whole, training.folder.path) == []


def stops_at_once(training: Training) -> bool:
    """Stops at the first look that one can stop at; False if there is none any more."""
    try:
        for _ in training.carry_on(lambda: True):
            pass
    except Interrupted:
        return True
    return False


@pytest.mark.parametrize("lines", FAILING, ids=["explodes", "at once", "huge row"])
def test_killed_around_an_update_that_was_not_finite(lines: str, tmp_path: Path) -> None:
    whole = begin(tmp_path, lines, "whole")
    events = [
        look
        for look, progress in enumerate(look_up_always(whole), start=1)
        if progress.skipped or progress.rolled_back
    ]
    assert events
    for look in sorted({look + near for look in events for near in (-1, 0, 1)} - {0}):
        path = kill_after(begin(tmp_path, lines, f"killed-{look}"), look)
        assert differences(whole.folder.path, finish(resume(path))) == [], f"at look {look}"


class Killed(BaseException):
    """A kill at a moment of our choice."""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        (RunFolder, "load", 1),
        (RunFolder, "load", 2),
        (checkpoints, "discard_after", 1),
        (checkpoints, "discard_after", 2),
        (RunFolder, "begin_segment", 1),
        (RunFolder, "begin_segment", 2),
    ],
)
def test_killed_while_it_goes_back(
    owner: Any, name: str, call: int, moment: str, tmp_path: Path
) -> None:
    """A stop has left one checkpoint more, behind the one that it goes back to."""
    whole = finish(begin(tmp_path, EXPLODES, "whole"))
    path = stop_at(begin(tmp_path, EXPLODES, "killed"), 7)
    training, calls, original = resume(path), 0, getattr(owner, name)

    def deadly(*args: Any, **details: Any) -> Any:
        nonlocal calls
        calls += 1
        if (calls, moment) == (call, "before"):
            raise Killed
        result = original(*args, **details)
        if calls == call:
            raise Killed
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, deadly)
        with pytest.raises(Killed):
            finish(training)
    assert differences(whole, finish(resume(path))) == []


RICH = (
    "optimizer: {name: sgd, lr: 1e-3, momentum: 0.9}\n"
    "normalization: batch\n"
    "schedule: {name: performance, patience: {updates: 4}, min_delta: 0.5, factor: 0.1}\n"
    "regularization: {dropout: 0.3, early_stopping: {patience: {updates: 400}, min_delta: 0.5}}"
)


def test_stopped_with_everything_to_remember(tmp_path: Path) -> None:
    """The control of the controls below: nothing is dropped, nothing shows."""
    whole = finish(begin(tmp_path, RICH, "whole"))
    path = stop_at(begin(tmp_path, RICH, "stopped"), 9)
    assert differences(whole, finish(resume(path))) == []


def forget_velocity(state: State) -> None:
    state.slots["velocity"].zero_()


def forget_averages(state: State) -> None:
    for buffer in state.network.module.buffers():
        buffer.zero_()


def forget_plateau(state: State) -> None:
    state.plateau = Plateau()


def forget_tally(state: State) -> None:
    state.tally = Tally()


def forget_best(state: State) -> None:
    state.best = None


def forget_lower_rate(state: State) -> None:
    state.lr_factor = 1.0


def forget_rollbacks(state: State) -> None:
    state.rollbacks = 0


def forget_skipped(state: State) -> None:
    state.skipped = 0


def repeat_an_update(state: State) -> None:
    state.step -= 1


def flip_a_bit(state: State) -> None:
    state.weights.view(torch.int32)[3] ^= 1


@pytest.mark.parametrize(
    "harm",
    [
        forget_velocity,
        forget_averages,
        forget_plateau,
        forget_tally,
        forget_best,
        repeat_an_update,
        flip_a_bit,
    ],
)
def test_whatever_part_of_the_state_is_dropped_it_shows(harm: Any, tmp_path: Path) -> None:
    """The negative controls: this test would not notice anything if it could not fail."""
    whole = finish(begin(tmp_path, RICH, "whole"))
    path = stop_at(begin(tmp_path, RICH, "harmed"), 9)
    training = resume(path)
    harm(training.session.state)
    assert differences(whole, finish(training)) != []


@pytest.mark.parametrize(
    ("lines", "harm"),
    [
        (EXPLODES, forget_lower_rate),
        (EXPLODES, forget_rollbacks),
        (HUGE_ROW, forget_skipped),
    ],
)
def test_whatever_is_forgotten_of_what_was_not_finite_it_shows(
    lines: str, harm: Any, tmp_path: Path
) -> None:
    whole = finish(begin(tmp_path, lines, "whole"))
    path = stop_at(begin(tmp_path, lines, "harmed"), 11)
    training = resume(path)
    harm(training.session.state)
    assert differences(whole, finish(training)) != []


PROGRAM = """
import sys
sys.argv = ["dnnlab", *sys.argv[1:]]
import dnnlab.training.loop
dnnlab.training.loop.MOST_UPDATES = 4  # look up often: this training is over in a second
from dnnlab.cli.main import main
main()
"""


def command(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_real_signals(number: signal.Signals, code: int, tmp_path: Path) -> None:
    lines = "optimizer: {name: nadam, lr: 0.01}\nregularization: {dropout: 0.2}"
    text = text_of(lines, tmp_path).replace("updates: 14", "updates: 3000")
    text = text.replace("updates: 5", "updates: 250").replace("updates: 4", "updates: 100")
    (tmp_path / "long.yaml").write_text(text)
    config = read(tmp_path / "long.yaml")
    whole = finish(start(config, runs=tmp_path / "runs", name="whole", command=[]))
    process = command(tmp_path, "train", "long.yaml", "--name", "cut")
    path = tmp_path / "runs" / "cut"
    deadline = time.monotonic() + 60
    while len(checkpoints.steps(path / "checkpoints")) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    if number != signal.SIGKILL:
        assert "saved." in said
        assert "resume: dnnlab resume runs/cut" in said
        assert read_json(path / "status.json")["state"] == "interrupted"
    assert not (path / "result.json").exists()
    process = command(tmp_path, "resume", "cut", "--quiet")
    assert process.communicate(timeout=60) is not None
    assert process.returncode == 0
    assert differences(whole, path) == []
