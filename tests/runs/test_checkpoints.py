from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from dnnlab import disk
from dnnlab.errors import MachineError, RunError
from dnnlab.runs import checkpoints
from dnnlab.training.state import Best, State
from tests.support import same_tensors, session_of

TEXT = """
data: digits
architecture: {name: mlp, hidden: [6]}
optimizer: {name: sgd, momentum: 0.9}
training: {epochs: {updates: 10}, batch_size: 10, threads: 1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.fixture
def state(tmp_path: Path) -> State:
    session = session_of(TEXT, folder=tmp_path)
    session.engine.advance(3)
    session.state.best = Best(2, 0.5, session.state.copy_of_network())
    return session.state


def save_at(folder: Path, state: State, *steps: int) -> None:
    for step in steps:
        state.step = step
        state.weights.fill_(step)
        checkpoints.save(folder, state, {"seconds": {"total": 1.5}})


def test_what_is_saved_comes_back(folder: Path, state: State) -> None:
    checkpoints.save(folder, state, {"seconds": {"total": 1.5}})
    found = checkpoints.load(folder, 3)
    for group, tensors in state.tensors().items():
        assert same_tensors(tensors, found.tensors[group])
    assert found.state == {
        "schema": 1,
        "seconds": {"total": 1.5},
        "state": state.numbers(),
    }
    assert sorted(path.name for path in (folder / "step-000000003").iterdir()) == [
        "best.safetensors",
        "manifest.json",
        "network.safetensors",
        "optimizer.safetensors",
        "state.json",
    ]


def test_other_programs_can_read_the_weights(folder: Path, state: State) -> None:
    save_at(folder, state, 3)
    loaded = safetensors.torch.load_file(folder / "step-000000003" / "network.safetensors")
    assert loaded["dense1.weight"].shape == (6, 5)


def test_the_newest_whole_one_is_loaded(folder: Path, state: State) -> None:
    assert checkpoints.load_newest(folder) == (None, {})
    save_at(folder, state, 3, 6, 9)
    newest, damaged = checkpoints.load_newest(folder)
    assert newest is not None
    assert (newest.step, damaged) == (9, {})


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [flip, shorten, Path.unlink])
@pytest.mark.parametrize(
    "name",
    ["network.safetensors", "optimizer.safetensors", "best.safetensors", "state.json"]
    + ["manifest.json"],
)
def test_any_damage_is_seen_and_the_one_before_is_used(
    folder: Path, state: State, harm: object, name: str
) -> None:
    save_at(folder, state, 3, 6)
    harm(folder / "step-000000006" / name)  # type: ignore[operator]
    newest, damaged = checkpoints.load_newest(folder)
    assert newest is not None
    assert newest.step == 3
    assert list(damaged) == [6]
    assert "step-000000006" in damaged[6]


def test_if_all_are_damaged_nothing_is_loaded(folder: Path, state: State) -> None:
    save_at(folder, state, 3, 6)
    for step in (3, 6):
        flip(checkpoints.folder_of(folder, step) / "network.safetensors")
    with pytest.raises(RunError, match="all 2 checkpoints in .* are damaged"):
        checkpoints.load_newest(folder)


class Malicious:
    """Unpickling this would leave a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.marker),))


def forge(folder: Path, files: dict[str, bytes], names: dict[str, str] | None = None) -> None:
    """Writes a checkpoint whose manifest fits its files, whatever they hold."""
    import hashlib

    step = folder / "step-000000009"
    step.mkdir()
    manifest = {}
    for name, content in files.items():
        (step / name).write_bytes(content)
        listed = (names or {}).get(name, name)
        manifest[listed] = {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    whole = {"schema": 1, "files": manifest}
    (step / "manifest.json").write_text(json.dumps(whole))


def test_a_pickle_is_never_opened(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    evil = pickle.dumps(Malicious(marker))
    forge(folder, {"network.safetensors": evil, "state.json": b"{}"})
    with pytest.raises(RunError, match="network.safetensors holds no tensors"):
        checkpoints.load(folder, 9)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff" * 16, "holds no tensors"),
        (b'\x08\x00\x00\x00\x00\x00\x00\x00{"a":{}}', "holds no tensors"),
    ],
)
def test_lying_safetensors_are_refused(folder: Path, content: bytes, message: str) -> None:
    forge(folder, {"network.safetensors": content, "state.json": b"{}"})
    with pytest.raises(RunError, match=message):
        checkpoints.load(folder, 9)


def test_a_manifest_names_only_our_own_files(folder: Path) -> None:
    files = {"network.safetensors": b"x", "state.json": b"{}", "extra": b"y"}
    forge(folder, files, names={"extra": "../../x"})
    with pytest.raises(RunError, match=r"manifest.json names '../../x'"):
        checkpoints.load(folder, 9)


@pytest.mark.parametrize(
    "manifest",
    ["[]", "{}", '{"schema": 1}', '{"schema": 1, "files": []}', '{"schema": 1, "files": {}}']
    + ['{"schema": 1, "files": {"state.json": 3, "network.safetensors": null}}'],
)
def test_odd_manifests_are_refused(folder: Path, manifest: str) -> None:
    step = folder / "step-000000009"
    step.mkdir()
    (step / "state.json").write_text("{}")
    (step / "network.safetensors").write_text("")
    (step / "manifest.json").write_text(manifest)
    with pytest.raises(RunError):
        checkpoints.load(folder, 9)


def test_a_newer_schema_is_named(folder: Path) -> None:
    step = folder / "step-000000009"
    step.mkdir()
    (step / "manifest.json").write_text('{"schema": 2, "files": {}}')
    with pytest.raises(RunError, match="has schema 2; this dnnlab reads 1"):
        checkpoints.load(folder, 9)


def test_a_failed_save_leaves_no_debris(
    folder: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_at(folder, state, 3)
    calls = 0
    real = os.fsync

    def fail_third(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fail_third)
    state.step = 6
    with pytest.raises(MachineError, match="the disk is full: .*step-000000006"):
        checkpoints.save(folder, state, {})
    assert [path.name for path in folder.iterdir()] == ["step-000000003"]
    assert checkpoints.load(folder, 3).step == 3


def test_a_step_is_saved_once(folder: Path, state: State) -> None:
    save_at(folder, state, 3)
    before = (folder / "step-000000003" / "network.safetensors").stat().st_mtime_ns
    checkpoints.save(folder, state, {})
    assert (folder / "step-000000003" / "network.safetensors").stat().st_mtime_ns == before


def test_pruning_keeps_the_newest_and_the_best(folder: Path, state: State) -> None:
    save_at(folder, state, 3, 6, 9, 12, 15)
    checkpoints.prune(folder, 6)
    assert checkpoints.steps(folder) == [6, 12, 15]
    checkpoints.prune(folder, None)
    assert checkpoints.steps(folder) == [12, 15]


def test_debris_is_removed_and_nothing_else(folder: Path, state: State) -> None:
    save_at(folder, state, 3)
    (folder / ".step-000000006.123.tmp").mkdir()
    (folder / "notes").mkdir()
    checkpoints.remove_debris(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["notes", "step-000000003"]


def test_a_damaged_one_is_set_aside_so_that_its_step_can_be_saved_again(
    folder: Path, state: State
) -> None:
    save_at(folder, state, 3, 6)
    checkpoints.set_aside(folder, 6)
    assert checkpoints.steps(folder) == [3]
    save_at(folder, state, 6)
    checkpoints.set_aside(folder, 6)
    assert (folder / "damaged-step-000000006-1").is_dir()
    assert (folder / "damaged-step-000000006-2").is_dir()


def test_saving_goes_through_the_one_module_for_disks(
    folder: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    real = disk.write_new

    def note(path: Path, content: bytes) -> None:
        written.append(path.name)
        real(path, content)

    monkeypatch.setattr(disk, "write_new", note)
    checkpoints.save(folder, state, {})
    assert written[-1] == "manifest.json"
    assert len(written) == 5
    assert torch.isfinite(state.weights).all()
