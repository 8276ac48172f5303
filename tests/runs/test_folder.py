from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dnnlab import disk
from dnnlab.errors import MachineError, RunError
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import Origin, RunFolder, check_run
from dnnlab.runs.records import read_rows
from dnnlab.training.loop import Record
from tests.support import session_of

SMALL = """
data: digits
architecture: {name: mlp, hidden: [2]}
training: {epochs: {updates: 10}, batch_size: 10, threads: 1}
"""

ORIGIN = Origin(
    config="data: digits\n",
    source=b"# mine\ndata: digits\n",
    settings={"data": "digits"},
    config_hash="abc",
    seed=7,
    command=["dnnlab", "train"],
    environment={"torch": "2"},
    data={"fingerprint": "f"},
)


def create(runs: Path, name: str | None = None, stem: str = "a-digits") -> RunFolder:
    return RunFolder.create(runs, name, stem, ORIGIN)


def test_a_run_explains_itself(tmp_path: Path) -> None:
    run = create(tmp_path / "runs")
    run.close()
    about = json.loads((run.path / "run.json").read_text())
    assert run.path.name == "a-digits-0001"
    assert about["schema"] == 1
    assert about["config_hash"] == "abc"
    assert about["seed"] == 7
    assert len(about["id"]) == 32
    assert about["created"].endswith("+00:00")
    assert (run.path / "config.source.yaml").read_bytes() == ORIGIN.source
    assert json.loads((run.path / "data.json").read_text()) == {"fingerprint": "f"}
    assert json.loads((run.path / "environment.json").read_text()) == {"torch": "2"}
    assert (run.path / "checkpoints").is_dir()


def test_numbers_go_on_and_names_are_unique(tmp_path: Path) -> None:
    create(tmp_path).close()
    create(tmp_path).close()
    (tmp_path / "a-digits-0009").mkdir()
    assert create(tmp_path).path.name == "a-digits-0010"
    create(tmp_path, name="mine").close()
    with pytest.raises(RunError, match="there is a run 'mine'") as caught:
        create(tmp_path, name="mine")
    assert caught.value.remedy == "dnnlab resume mine, or give another --name"


def test_of_two_racing_starts_each_gets_a_number_of_its_own(tmp_path: Path) -> None:
    names: list[str] = []

    def start() -> None:
        run = create(tmp_path)
        names.append(run.path.name)
        run.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"a-digits-{n:04d}" for n in range(1, 9)]


def test_a_start_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = disk.write_new

    def fail(path: Path, content: bytes) -> None:
        if path.name == "run.json":
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(disk, "write_new", fail)
    with pytest.raises(MachineError, match="the disk is full"):
        create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **settings: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(disk, "make_folder", fail)
    with pytest.raises(RunError, match="cannot be written: Permission denied") as caught:
        create(tmp_path)
    assert "--runs DIR" in caught.value.remedy


def test_only_one_process_writes(tmp_path: Path) -> None:
    run = create(tmp_path, name="x")
    program = (
        "import sys, pathlib\n"
        "from dnnlab.errors import RunError\n"
        "from dnnlab.runs.folder import RunFolder\n"
        "try: RunFolder.reopen(pathlib.Path(sys.argv[1]))\n"
        "except RunError as error: print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(run.path)], capture_output=True, text=True, check=True
    ).stdout
    assert "is in use by pid" in said
    assert "since 20" in said
    run.close()
    RunFolder.reopen(run.path).close()


def test_records_belong_to_a_segment(tmp_path: Path) -> None:
    run = create(tmp_path)
    record = Record(5, 1, "train", {"loss": 1.0})
    run.record(record, 0.5)
    run.begin_segment("rolled_back", step=4)
    run.close()
    again = RunFolder.reopen(run.path)
    again.begin_segment("resumed", step=4)
    again.record(record, 1.0)
    again.close()
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [row["segment"] for row in rows] == [0, 2]
    assert [row["seconds"] for row in again.rows()] == [1.0]


def test_status_says_who(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.status("running", 12)
    run.close()
    status = json.loads((run.path / "status.json").read_text())
    assert (status["state"], status["step"]) == ("running", 12)
    assert {"pid", "host", "updated"} <= set(status)


def test_a_run_of_a_newer_dnnlab_is_named(tmp_path: Path) -> None:
    run = create(tmp_path)
    run.close()
    (run.path / "run.json").write_text('{"schema": 2}')
    with pytest.raises(RunError, match="has schema 2; this dnnlab reads 1"):
        check_run(run.path)
    with pytest.raises(RunError, match="has schema 2"):
        RunFolder.reopen(run.path)


def test_a_damaged_checkpoint_is_set_aside_and_its_step_saved_again(tmp_path: Path) -> None:
    state = session_of(SMALL, folder=tmp_path).state
    run = create(tmp_path, name="it")
    for step in (1, 2):
        state.step = step
        run.save(state, {})
    run.close()
    (run.checkpoints / "step-000000002" / "network.safetensors").write_bytes(b"x")
    again = RunFolder.reopen(run.path)
    newest, damaged = again.load(2**20)
    assert newest is not None
    assert (newest.step, again.saved_step, list(damaged)) == (1, 1, [2])
    assert [row["event"] for row in read_rows(run.path / "events.jsonl")][1:] == ["damaged"]
    state.step = 2
    again.save(state, {})
    assert checkpoints.load(again.checkpoints, 2).step == 2
    assert (again.checkpoints / "damaged-step-000000002-1").is_dir()
    again.close()
