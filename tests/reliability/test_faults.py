"""The disk refuses the 1st call, the 2nd, the 3rd...: what was saved stays, and no debris."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dnnlab import disk
from dnnlab.errors import DnnlabError, MachineError, RunError
from dnnlab.methods.resume import resume
from dnnlab.methods.train import Training, room_for, start
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import RunFolder
from dnnlab.runs.listing import list_runs
from dnnlab.training.state import State
from tests.reliability.systems import Failing, on, until_none_fails
from tests.reliability.test_crashes import MOST, ORIGIN, SECONDS, TEXT, measure, move
from tests.support import DIGITS, config_file, session_of

KINDS: dict[str, Callable[[int], Failing]] = {
    "full once": lambda n: Failing(n, errno.ENOSPC),
    "full from there on": lambda n: Failing(n, errno.ENOSPC, lasting=True),
    "full in the midst of a write": lambda n: Failing(n, errno.ENOSPC, lasting=True, short=True),
    "broken": lambda n: Failing(n, errno.EIO),
    "forbidden": lambda n: Failing(n, errno.EACCES),
    "over quota": lambda n: Failing(n, errno.EDQUOT, lasting=True),
}
EVERY = 11
"""Of a whole training only every so many-th call fails here; `make soak` takes them all."""
KIND = pytest.mark.parametrize("kind", KINDS)
REFUSAL: dict[str, type[DnnlabError]] = {"forbidden": RunError}
"""What a failure becomes; all others are the machine's."""


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    return session_of(TEXT, folder=tmp_path_factory.mktemp("state")).state


def refusal_by(system: Failing, action: Callable[[], None]) -> DnnlabError | None:
    """Does something with a disk that fails. Returns what it was refused with; nothing else may be
    raised.
    """
    with on(system):
        try:
            action()
        except DnnlabError as error:
            return error
    return None


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0


@KIND
def test_making_a_run(kind: str, tmp_path: Path) -> None:
    """Where a run cannot be made there is none, and the next one takes its name."""
    before = descriptors()

    def attempt(system: Failing) -> None:
        made: list[RunFolder] = []
        refused = refusal_by(
            system, lambda: made.append(RunFolder.create(tmp_path / "runs", "it", "it", ORIGIN))
        )
        if refused is None:
            made[0].close()
            assert not system.failed or system.failed[0].startswith(("write", "unlink"))
        else:
            assert isinstance(refused, REFUSAL.get(kind, MachineError))
            assert list_runs(tmp_path / "runs") == []

    failed = until_none_fails(KINDS[kind], attempt_alone(attempt, tmp_path))
    assert len(failed) > 20
    assert descriptors() == before


def attempt_alone(attempt: Callable[[Failing], None], root: Path) -> Callable[[Failing], None]:
    """Lets every attempt begin without a run."""

    def alone(system: Failing) -> None:
        attempt(system)
        left = list((root / "runs").iterdir()) if (root / "runs").exists() else []
        if system.failed and not (root / "runs" / "it" / "run.json").exists():
            assert left == [], f"after {system.failed[0]}"
        disk.remove_folder(root / "runs")

    return alone


@KIND
def test_saving(kind: str, tmp_path: Path, state: State) -> None:
    """The checkpoint before stays, nothing half-written is there, and the next save works."""
    state.best = None
    run = RunFolder.create(tmp_path, "it", "it", ORIGIN)
    measure(run, 1)
    move(state, 1)
    run.save(state, SECONDS)
    run.close()
    opened, step = descriptors(), 1

    def attempt(system: Failing) -> None:
        nonlocal step
        run = RunFolder.reopen(tmp_path / "it")
        run.load(MOST)
        run.begin_segment("resumed", step=step)
        kept = checkpoints.steps(run.checkpoints)
        move(state, step + 1)

        def save() -> None:
            measure(run, step + 1)
            run.save(state, SECONDS)

        refused = refusal_by(system, save)
        run.close()
        names = [path.name for path in run.checkpoints.iterdir()]
        if refused is not None:
            assert isinstance(refused, REFUSAL.get(kind, MachineError)), system.failed
            assert checkpoints.steps(run.checkpoints) == kept, system.failed
            assert set(names) == {f"step-{each:09d}" for each in kept}, system.failed
        else:
            step += 1
        newest, damaged = checkpoints.load_newest(run.checkpoints)
        assert newest is not None
        assert (newest.step, damaged) == (step, {})

    failed = until_none_fails(KINDS[kind], attempt)
    assert len(failed) > 10
    assert descriptors() == opened


@KIND
def test_a_training_and_its_resumption(kind: str, tmp_path: Path) -> None:
    """From the first call to the last: a clean refusal, and afterwards a whole run that goes on."""
    config = config_file(
        tmp_path,
        "data: wine\narchitecture: {name: mlp, hidden: [2]}\n"
        "training: {epochs: {updates: 4}, batch_size: 64, threads: 1, "
        "checkpoint_every: {updates: 2}}\n",
    )
    number = 0

    def attempt(system: Failing) -> None:
        nonlocal number
        number += 1
        name = f"r{number}"
        refused = refusal_by(
            system, lambda: finish(start(config, runs=tmp_path / "runs", name=name, command=[]))
        )
        assert isinstance(refused, REFUSAL.get(kind, MachineError) | None), system.failed
        path = tmp_path / "runs" / name
        if (path / "run.json").exists() and not (path / "result.json").exists():
            finish(resume(path))
        if (path / "run.json").exists():
            entry = next(each for each in list_runs(tmp_path / "runs") if each["run"] == name)
            assert entry["state"] == "finished", system.failed
            newest, damaged = checkpoints.load_newest(path / "checkpoints")
            assert newest is not None
            assert (newest.step, damaged) == (4, {})

    failed = until_none_fails(lambda n: KINDS[kind](1 + (n - 1) * EVERY), attempt)
    assert len(failed) > 5


def finish(training: Training) -> None:
    for _ in training.carry_on():
        pass


def test_an_fsync_that_failed_is_not_believed_when_it_is_tried_again(
    tmp_path: Path, state: State
) -> None:
    """Linux drops the pages whose writing failed, and calls the next fsync a success."""
    run = RunFolder.create(tmp_path, "it", "it", ORIGIN)
    measure(run, 1)
    move(state, 1)
    with on(Failing(1, errno.EIO)), pytest.raises(MachineError, match="the disk failed at"):
        run.save(state, SECONDS)
    with pytest.raises(MachineError, match="an earlier write failed"):
        run.save(state, SECONDS)
    assert checkpoints.steps(run.checkpoints) == []
    run.close()


def test_a_full_disk_is_said_with_its_sizes(tmp_path: Path, state: State) -> None:
    run = RunFolder.create(tmp_path, "it", "it", ORIGIN)
    move(state, 1)
    system = Failing(3, errno.ENOSPC, lasting=True)
    with on(system), pytest.raises(MachineError) as caught:
        run.save(state, SECONDS)
    run.close()
    assert re.search(
        r"the disk is full: .*step-000000001 \([\d.]+ KiB\) could not be written, "
        r"[\d.,]+ MiB are free",
        caught.value.message,
    )
    assert "what was saved before is whole" in caught.value.remedy


class Small(disk.System):
    """A disk with little room."""

    def __init__(self, room: int) -> None:
        self.room = room

    def free(self, path: Path) -> int:
        return self.room


def test_a_disk_that_is_too_small_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    config = config_file(tmp_path, DIGITS)
    with on(Small(1000)), pytest.raises(MachineError, match="up to .* KiB, .* KiB are free"):
        start(config, runs=tmp_path / "runs", name="it", command=[])
    assert not (tmp_path / "runs").exists()
    training = start(config, runs=tmp_path / "runs", name="roomy", command=[])
    training.folder.close()
    assert training.notes == []
    needed = room_for(training.session)
    with on(Small(2 * needed)):
        training = start(config, runs=tmp_path / "runs", name="narrow", command=[])
    training.folder.close()
    assert training.notes[0].startswith("the checkpoints take up to")
    with on(Small(needed - 1)), pytest.raises(MachineError):
        start(config, runs=tmp_path / "runs", name="it", command=[])


def test_a_folder_that_cannot_be_written_is_refused_before_the_data_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_file(tmp_path, DIGITS)
    monkeypatch.setattr("dnnlab.methods.train.assemble", None)  # would fail if it were called
    for error in (errno.EROFS, errno.EACCES):
        with on(Failing(1, error)), pytest.raises(RunError, match="cannot be written") as caught:
            start(config, runs=tmp_path / "runs", name="it", command=[])
        assert "--runs DIR" in caught.value.remedy
