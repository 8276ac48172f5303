"""Files that somebody else wrote run no code, cost no other file, and end in a refusal at worst."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from dnnlab import disk
from dnnlab.methods.resume import Terms
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import RunFolder
from dnnlab.runs.records import MOST_LOG, read_json, scan_rows
from tests.reliability.opening import (
    ALL_WAYS,
    Outcome,
    bounded,
    changed,
    copied,
    interrupted_run,
    keys_of,
    newest,
    opened,
    quick,
    replaced,
    seal,
    shelf,
)

__all__ = ["quick", "shelf"]

STEP = "checkpoints/step-000000004"
RUN_JSON = ["run.json", "settings.json", "data.json", "environment.json", "status.json"]
STEP_JSON = [f"{STEP}/state.json", f"{STEP}/manifest.json"]
LOGS = ["metrics.jsonl", "events.jsonl"]
TENSORS = [f"{STEP}/{group}.safetensors" for group in ("network", "optimizer", "best")]
FILES = [*RUN_JSON, *STEP_JSON, *LOGS, *TENSORS, "config.yaml", "config.source.yaml", "lock"]
READERS = {
    "run.json": ("list", "load", "reopen"),
    "settings.json": ("reopen",),
    "data.json": ("load", "evaluate", "predict", "reopen"),
    "environment.json": ("reopen",),
    "status.json": ("list", "resume"),
    "result.json": ("list", "reopen"),
    "lock": ("list", "reopen"),
    f"{STEP}/state.json": ("load", "resume"),
    f"{STEP}/manifest.json": ("load", "reopen"),
}
"""How each file is read, apart from what is read of every run."""
TERABYTE = 2**40
ANY = Terms(accept_changes=True)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return interrupted_run(tmp_path_factory.mktemp("original"))


@pytest.fixture
def run(original: Path, shelf: Path) -> Path:
    return copied(original, shelf)


@pytest.fixture
def precious(shelf: Path) -> Iterator[Path]:
    """A folder outside the run, of which every byte has to stay."""
    folder = shelf / "precious"
    folder.mkdir()
    (folder / "file").write_text('{"step": 1}\nnot to be lost')
    before = (folder / "file").stat()
    yield folder
    assert [path.name for path in folder.iterdir()] == ["file"]
    assert (folder / "file").read_text() == '{"step": 1}\nnot to be lost'
    assert (folder / "file").stat().st_mtime_ns == before.st_mtime_ns


def test_the_run_that_is_harmed_below_can_be_opened(run: Path) -> None:
    outcome = opened(run, ways=ALL_WAYS)
    assert outcome.errors == {}
    assert outcome.entry["state"] == "interrupted"
    assert outcome.notes == []


def each(files: list[str], contents: dict[str, bytes]) -> list[Any]:
    return [
        pytest.param(file, content, id=f"{Path(file).name}-{name}")
        for file in files
        for name, content in contents.items()
    ]


def put(run: Path, file: str, content: bytes) -> None:
    """Writes a file of a run; one of a checkpoint with a manifest that fits it."""
    replaced(run / file, content)
    if file.startswith(STEP) and not file.endswith("manifest.json"):
        seal(run / STEP)


# --- code ------------------------------------------------------------------------------------


class Malicious:
    """Unpickling this leaves a folder behind, wherever one works."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("executed",))


def torch_archive() -> bytes:
    buffer = io.BytesIO()
    torch.save({"network": Malicious()}, buffer)
    return buffer.getvalue()


def with_pickle_inside() -> bytes:
    tensors = {"output.weight": torch.zeros(10, 2)}
    return safetensors.torch.save(tensors, {"__reduce__": pickle.dumps(Malicious(), 0).decode()})


CODE = {
    "pickle": pickle.dumps(Malicious()),
    "old_pickle": pickle.dumps(Malicious(), protocol=0),
    "torch": torch_archive(),
    "metadata": with_pickle_inside(),
    "reduce": b'{"__reduce__": ["os.mkdir", ["executed"]], "_target_": "os.mkdir"}',
    "yaml": b"!!python/object/apply:os.mkdir [executed]\n",
    "yaml_key": b"data: !!python/object/apply:os.mkdir [executed]\narchitecture: mlp\n",
}


CODE_ANYWHERE = {name: CODE[name] for name in ("pickle", "torch", "yaml")}
CODE_PLACES = [*each(FILES, CODE_ANYWHERE), *each([TENSORS[0], "config.yaml", "run.json"], CODE)]


@pytest.mark.parametrize(("file", "content"), CODE_PLACES)
def test_no_file_of_a_run_runs_code(
    file: str, content: bytes, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    put(run, file, content)
    outcome = opened(run)
    assert list((tmp_path / "here").iterdir()) == []
    if file.endswith(("lock", "source.yaml", "status.json", ".jsonl")):
        assert "load" not in outcome.errors
    elif file.startswith(TENSORS[0]):
        assert "reopen" in outcome.errors or "is damaged" in outcome.notes[0]


@pytest.mark.parametrize("setting", ["activation", "architecture", "data"])
@pytest.mark.parametrize("word", ["os.mkdir", "dnnlab.disk.remove_folder", "../../x"])
@pytest.mark.parametrize("file", ["config.yaml", "settings.json"])
def test_a_choice_is_a_name_of_ours(file: str, word: str, setting: str, run: Path) -> None:
    settings = read_json(run / "settings.json")["settings"]
    settings[setting] = {"name": word}
    whole = settings if file == "config.yaml" else {"schema": 1, "settings": settings}
    put(run, file, json.dumps(whole).encode())
    outcome = opened(run, ways=("load", "reopen"), terms=ANY)
    assert set(outcome.errors) == {"load", "reopen"}


@pytest.mark.parametrize("file", ["config.yaml", "settings.json"])
def test_half_a_character_in_any_setting(file: str, run: Path) -> None:
    settings = read_json(run / "settings.json")["settings"]
    for way in keys_of(settings):
        odd = changed(settings, way, "\ud800")
        whole = odd if file == "config.yaml" else {"schema": 1, "settings": odd}
        (run / file).write_text(json.dumps(whole))
        assert "reopen" in opened(run, ways=("reopen",)).errors


# --- JSON that is none of ours -----------------------------------------------------------------

ODD = {
    "nothing": b"",
    "zeros": bytes(100),
    "list": b"[1]",
    "text": b'"text"',
    "null": b"null",
    "nested": b"[" * 100_000 + b"]" * 100_000,
    "nested_objects": b'{"a":' * 50_000,
    "nested_in_key": b'{"schema":1,"files":' + b"[" * 800 + b"]" * 800 + b"}",
    "digits": b'{"schema":' + b"9" * 10_000 + b"}",
    "many_digits": b'{"schema":1,"step":' + b"9" * 4_000 + b"}",
    "nan": b'{"schema": NaN, "step": Infinity}',
    "infinity": b'{"schema": 1, "step": 1e999, "state": {"step": -1e999}}',
    "half_a_character": b'{"schema": 1, "state": "\\ud800", "\\udfff": "\\ud800"}',
    "no_utf8": b'{"schema": 1, "state": "\xff"}',
    "utf16": '{"schema": 1}'.encode("utf-16"),
    "bom": b'\xef\xbb\xbf{"schema": 1}',
    "twice": b'{"schema": 1, "schema": 2, "schema": {}}',
}


ODD_ANYWHERE = {name: ODD[name] for name in ("list", "nested_objects", "digits", "infinity")}
ODD_PLACES = [
    *each(["run.json", *STEP_JSON], ODD),
    *each([*RUN_JSON[1:], "lock"], ODD_ANYWHERE),
]


@pytest.mark.parametrize(("file", "content"), ODD_PLACES)
def test_odd_json(file: str, content: bytes, run: Path) -> None:
    put(run, file, content)
    opened(run, ways=READERS[file])


@pytest.mark.parametrize("word", ["NaN", "-Infinity", "1e999", "-1e999", "1" + "0" * 30])
def test_numbers_that_dnnlab_does_not_write_are_refused_wherever_they_stand(
    word: str, run: Path
) -> None:
    about = (run / "run.json").read_text().replace('"seed": 42', f'"seed": {word}')
    assert word in about
    (run / "run.json").write_text(about)
    outcome = opened(run, ways=("load", "reopen"))
    assert "run.json" in outcome.refused("load")
    assert "run.json" in outcome.refused("reopen")


WRONG: list[Any] = [None, True, -1, 2**70, 1.5, 1e300, "x", "\ud800\x1b[2J\n", [], [[1, "x"]], {}]


def result_of(run: Path) -> None:
    """Gives a run a result, although it has not come to its end."""
    measured = {"loss": 1.0, "accuracy": 0.5, "confusion": [[1, 2], [3, 4]]}
    result = {
        "schema": 1,
        "metrics": {"train": measured, "validation": measured, "test": measured},
        "best": {"step": 4, "metric": "loss", "value": 1.0},
        "seconds": {"total": 1.0, "training": 1.0, "evaluation": 0.0},
    }
    (run / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize("file", READERS)
def test_every_value_of_every_file_as_another_type(file: str, original: Path, shelf: Path) -> None:
    """Each with one of the types, the next with another."""
    base = copied(original, shelf, "base")
    if file == "result.json":
        result_of(base)
    value = json.loads((base / file).read_bytes())
    failed = []
    ways = list(keys_of(value))
    for number, way in enumerate(ways):
        new = WRONG[number % len(WRONG)]
        run = copied(base, shelf, "changed")
        put(run, file, json.dumps(changed(value, way, new)).encode())
        try:
            opened(run, ways=READERS[file])
        except Exception as error:
            failed.append(f"{way} = {new!r}: {error!r}")
        shutil.rmtree(run)
    assert failed == []
    assert len(ways) >= 3


@pytest.mark.parametrize("file", [file for file in READERS if file != "settings.json"])
def test_every_key_of_every_file_missing(file: str, original: Path, shelf: Path) -> None:
    base = copied(original, shelf, "base")
    if file == "result.json":
        result_of(base)
    value = json.loads((base / file).read_bytes())
    failed = []
    for way in keys_of(value):
        outer = value
        for key in way[:-1]:
            outer = outer[key]
        if not isinstance(outer, dict):
            continue
        less = {key: kept for key, kept in outer.items() if key != way[-1]}
        run = copied(base, shelf, "changed")
        put(run, file, json.dumps(changed(value, way[:-1], less)).encode())
        try:
            opened(run, ways=READERS[file])
        except Exception as error:
            failed.append(f"{way}: {error!r}")
        shutil.rmtree(run)
    assert failed == []


STATE_LIES: dict[str, tuple[tuple[str, ...], Any]] = {
    "a step as text": (("state", "step"), "5"),
    "half a step": (("state", "step"), 5.5),
    "another step": (("state", "step"), 3),
    "steps below nothing": (("state", "applied"), -1),
    "text for a sum": (("state", "tally", "loss"), "1.0"),
    "a sum that is missing": (("state", "tally"), {"updates": 0}),
    "a sum too many": (("state", "tally", "more"), 1),
    "text for a factor": (("state", "plateau", "factor"), "1"),
    "a factor of nothing": (("state", "plateau", "factor"), None),
    "a best of text": (("state", "best", "value"), "low"),
    "a best of a step of text": (("state", "best", "step"), "4"),
    "no best, but its tensors": (("state", "best"), 4),
    "an end that is no text": (("state", "ended"), 1),
    "a rate factor of text": (("state", "lr_factor"), "1.0"),
    "seconds below nothing": (("seconds", "total"), -1.0),
    "no seconds": (("seconds", "total"), None),
    "seconds as text": (("seconds", "training"), "1.0"),
}


@pytest.mark.parametrize("lie", STATE_LIES)
def test_what_no_state_can_be_is_refused_and_never_trained_with(lie: str, run: Path) -> None:
    way, new = STATE_LIES[lie]
    state = read_json(run / STEP / "state.json")
    put(run, f"{STEP}/state.json", json.dumps(changed(state, way, new)).encode())
    assert "step-000000004" in opened(run, ways=("reopen",)).refused("reopen")


def test_a_state_beyond_the_end_of_the_training_is_refused(run: Path) -> None:
    (run / STEP).rename(run / "checkpoints" / "step-000000500")
    step = run / "checkpoints" / "step-000000500"
    state = read_json(step / "state.json")
    state["state"]["step"] = 500
    (step / "state.json").write_text(json.dumps(state))
    seal(step)
    outcome = opened(run, ways=("reopen",))
    assert "9 updates are fewer than the 500" in str(outcome.errors["reopen"].problems)  # type: ignore[attr-defined]


DATA_LIES: dict[str, tuple[tuple[str, ...], Any]] = {
    "a shape of text": (("input_shape",), "88"),
    "a shape below nothing": (("input_shape",), [-8, 8]),
    "a shape of everything": (("input_shape",), [2**40, 2**20]),
    "no shape": (("input_shape",), 8),
    "classes that are numbers": (("class_names",), list(range(10))),
    "classes that are a text": (("class_names",), "0123456789"),
    "a single class": (("class_names",), ["0"]),
    "half a character": (("class_names",), ["\ud800", *"123456789"]),
    "another task": (("task",), "regression"),
    "an unknown task": (("task",), "x"),
    "columns that are none": (("columns",), [1]),
    "a column without a name": (("columns",), [{"kind": "numeric"}]),
    "a column of an unknown kind": (("columns",), [{"name": "a", "kind": "x"}]),
    "a column without categories": (("columns",), [{"name": "a", "kind": "category"}]),
    "a scale of another shape": (("scaling", "scale"), [1.0, 2.0]),
    "a scale of nothing": (("scaling", "scale"), 0.0),
    "a scale that is null": (("scaling", "scale"), None),
    "a scale of text": (("scaling", "scale"), "1"),
    "a shift that is an object": (("scaling", "shift"), {}),
    "a ragged shift": (("scaling", "shift"), [[1.0], [1.0, 2.0]]),
    "a fill of text": (("scaling", "fill"), ["x"]),
    "targets scaled by nothing": (("scaling", "target_scale"), 0.0),
    "targets scaled by text": (("scaling", "target_scale"), "1"),
    "a fingerprint that is a number": (("fingerprint",), 1),
}


@pytest.mark.parametrize("lie", DATA_LIES)
def test_data_that_cannot_be_are_refused_before_anything_is_predicted(lie: str, run: Path) -> None:
    way, new = DATA_LIES[lie]
    data = read_json(run / "data.json")
    put(run, "data.json", json.dumps(changed(data, way, new)).encode())
    assert "data.json" in opened(run, ways=("load",)).refused("load")


# --- tensors that are none ---------------------------------------------------------------------


def tensor_file(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(dtype: str, shape: list[Any], begin: Any, end: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


F32 = entry("F32", [2], 0, 8)
LYING = {
    "no header": b"",
    "half a header": b"\x08\x00",
    "a header of 2**63 bytes": struct.pack("<Q", 2**63) + b"{}",
    "a header of 90 MB, not there": struct.pack("<Q", 90_000_000) + b"{}",
    "a header of 2 MB": tensor_file(b"{" + b" " * 2**21 + b"}"),
    "a nested header": tensor_file(b'{"a":' * 10_000),
    "a header that is a list": tensor_file([]),
    "an empty header": tensor_file({}),
    "offsets behind the end": tensor_file({"a": entry("F32", [2], 0, 8)}, b"1234"),
    "offsets that overlap": tensor_file({"a": F32, "b": F32}, bytes(8)),
    "offsets that leave a hole": tensor_file({"a": entry("F32", [2], 4, 12)}, bytes(12)),
    "offsets turned around": tensor_file({"a": entry("F32", [2], 8, 0)}, bytes(8)),
    "offsets below nothing": tensor_file({"a": entry("F32", [2], -8, 0)}, bytes(8)),
    "offsets beyond 64 bits": tensor_file({"a": entry("F32", [2], 0, 2**65)}, bytes(8)),
    "offsets as text": tensor_file({"a": entry("F32", [2], "0", "8")}, bytes(8)),
    "a shape that overflows": tensor_file({"a": entry("F32", [2**62, 2**62], 0, 8)}, bytes(8)),
    "a shape that overflows to 8": tensor_file({"a": entry("F32", [2**63, 2], 0, 0)}),
    "a shape of nothing and much": tensor_file({"a": entry("F32", [0, 2**62], 0, 0)}),
    "a shape of nothing and too much": tensor_file({"a": entry("F32", [0, 2**64 - 1], 0, 0)}),
    "a shape below nothing": tensor_file({"a": entry("F32", [-1, -2], 0, 8)}, bytes(8)),
    "a shape of halves": tensor_file({"a": entry("F32", [0.5], 0, 8)}, bytes(8)),
    "4,000 dimensions": tensor_file({"a": entry("F32", [1] * 4000, 0, 4)}, bytes(4)),
    "an unknown type": tensor_file({"a": entry("F33", [2], 0, 8)}, bytes(8)),
    "a type of 4 bits": tensor_file({"a": entry("F4", [16], 0, 8)}, bytes(8)),
    "a type of 6 bits": tensor_file({"a": entry("F6_E2M3", [4], 0, 3)}, bytes(3)),
    "a type of exponents": tensor_file({"a": entry("F8_E8M0", [8], 0, 8)}, bytes(8)),
    "complex numbers": tensor_file({"a": entry("C64", [1], 0, 8)}, bytes(8)),
    "one name twice": tensor_file(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        bytes(8),
    ),
    "metadata that is no text": tensor_file({"__metadata__": {"a": 1}, "a": F32}, bytes(8)),
    "a name that leads out": tensor_file({"../../x": F32}, bytes(8)),
    "a name of 100,000 letters": tensor_file({"a" * 100_000: F32}, bytes(8)),
    "bytes left over": tensor_file({"a": F32}, bytes(100)),
}


@pytest.mark.parametrize("lie", LYING)
def test_tensors_that_are_none(lie: str, run: Path) -> None:
    group = ("network", "optimizer", "best")[list(LYING).index(lie) % 3]
    put(run, f"{STEP}/{group}.safetensors", LYING[lie])
    outcome = opened(run, ways=("load", "reopen"))
    assert "load" in outcome.errors or "is damaged" in outcome.kept_notes[0]
    assert "reopen" in outcome.errors or "is damaged" in outcome.notes[0]


TENSOR_CHANGES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "float64": lambda tensor: tensor.double(),
    "float16": lambda tensor: tensor.half(),
    "whole numbers": lambda tensor: tensor.int(),
    "another shape": lambda tensor: tensor.flatten()[:-1],
    "a dimension more": lambda tensor: tensor[None],
    "the other way around": lambda tensor: tensor.T.contiguous(),
    "not finite": lambda tensor: tensor * torch.nan,
}


@pytest.mark.parametrize("group", ["network", "optimizer", "best"])
@pytest.mark.parametrize("change", TENSOR_CHANGES)
def test_tensors_of_another_net(change: str, group: str, run: Path) -> None:
    path = run / STEP / f"{group}.safetensors"
    tensors = safetensors.torch.load_file(path)
    name = next(name for name in tensors if name.endswith("dense1.weight"))
    tensors[name] = TENSOR_CHANGES[change](tensors[name])
    put(run, f"{STEP}/{group}.safetensors", safetensors.torch.save(tensors))
    outcome = opened(run, ways=("load", "resume"))
    if (group, change) != ("best", "not finite"):  # which is not trained with
        assert name in outcome.refused("resume")
    if group == "network" and change != "not finite":
        assert name in outcome.refused("load")


@pytest.mark.parametrize("group", ["network", "optimizer", "best"])
def test_a_tensor_too_few_or_too_many(group: str, original: Path, shelf: Path) -> None:
    tensors = safetensors.torch.load_file(original / STEP / f"{group}.safetensors")
    name = sorted(tensors)[0]
    less = {key: tensor for key, tensor in tensors.items() if key != name}
    for changes, word in ((less, name), ({**tensors, "zzz": torch.ones(1)}, "zzz")):
        run = copied(original, shelf, word)
        put(run, f"{STEP}/{group}.safetensors", safetensors.torch.save(changes))
        outcome = opened(run, ways=("load", "reopen"))
        assert f"no tensor '{word}'" in outcome.refused("load")
        assert f"no tensor '{word}'" in outcome.refused("reopen")


# --- manifests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../../run.json", "../../../../precious/file", "/etc/passwd", "/dev/zero", "more", "", "."]
    + ["network.safetensors/../state.json", "a\nb", "\x1b[2J", "<b>", "a" * 100_000, "nul\0"],
)
def test_a_manifest_that_names_another_file(name: str, run: Path, precious: Path) -> None:
    manifest = read_json(run / STEP / "manifest.json")
    manifest["files"][name] = {"size": 29, "sha256": "0" * 64}
    (run / STEP / "manifest.json").write_text(json.dumps(manifest))
    outcome = opened(run)
    assert "is damaged" in outcome.notes[0]
    assert len((run / "events.jsonl").read_bytes()) < 5000


def test_files_beside_a_checkpoint_are_none_of_ours(run: Path, precious: Path) -> None:
    (run / STEP / "more").write_bytes(pickle.dumps(Malicious()))
    (run / STEP / "folder").mkdir()
    (run / STEP / "link").symlink_to(precious)
    (run / "more.json").symlink_to(precious / "file")
    outcome = opened(run, ways=ALL_WAYS)
    assert outcome.errors == {}
    assert outcome.notes == []


@pytest.mark.parametrize("size", [TERABYTE, -1, 0, 1.5, "8", None, True, 2**70])
def test_a_manifest_that_lies_about_a_size(size: Any, run: Path) -> None:
    manifest = read_json(run / STEP / "manifest.json")
    manifest["files"]["network.safetensors"]["size"] = size
    (run / STEP / "manifest.json").write_text(json.dumps(manifest))
    assert "is damaged" in opened(run).notes[0]


# --- files that are none ------------------------------------------------------------------------


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder_there(path: Path) -> None:
    path.mkdir()


def link_to_zeros_without_end(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def sparse_terabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, TERABYTE)


SPECIAL = [pipe, folder_there, link_to_zeros_without_end, link_to_itself, link_to_nothing]
SPECIAL += [sparse_terabyte]


@pytest.mark.parametrize("make", SPECIAL, ids=lambda make: make.__name__)
@pytest.mark.parametrize("file", FILES)
def test_what_is_no_file(file: str, make: Callable[[Path], None], run: Path) -> None:
    (run / file).unlink()
    try:
        make(run / file)
    except OSError as error:
        pytest.skip(f"this file system has none such: {error}")
    if file in TENSORS + STEP_JSON and make is sparse_terabyte:  # and the manifest says so too
        manifest = {"schema": 1, "files": {}}
        if not file.endswith("manifest.json"):
            manifest = json.loads((run / STEP / "manifest.json").read_bytes())
            manifest["files"][Path(file).name]["size"] = TERABYTE
            (run / STEP / "manifest.json").write_text(json.dumps(manifest))
    outcome = opened(run)
    without_use = ("config.source.yaml", "status.json", "settings.json", "lock")
    if file not in without_use:
        assert "reopen" in outcome.errors or "is damaged" in outcome.notes[0]


@pytest.mark.parametrize("file", FILES)
def test_a_link_to_another_file_is_not_written_through(
    file: str, run: Path, precious: Path
) -> None:
    (run / file).unlink()
    (run / file).symlink_to(precious / "file")
    opened(run, ways=ALL_WAYS, terms=Terms(options=["training.checkpoint_every=1"]))


@pytest.mark.parametrize("file", LOGS + ["lock"])
def test_a_link_where_lines_would_be_written_is_refused_by_its_name(
    file: str, run: Path, precious: Path
) -> None:
    (run / file).unlink()
    (run / file).symlink_to(precious / "file")
    assert f"{file} is a link" in opened(run).refused("reopen")


@pytest.mark.parametrize("file", ["run.json", "data.json", "environment.json", "settings.json"])
def test_200_mb_of_json_are_not_read(file: str, run: Path) -> None:
    content = (run / file).read_bytes().rstrip().removesuffix(b"}")
    with (run / file).open("wb") as out:
        out.write(content)
        for _ in range(200):
            out.write(b" " * 1_000_000)
        out.write(b"}")
    outcome = opened(run, ways=("list", "load", "reopen"))
    assert f"{file} has 200,00" in outcome.refused("reopen")


def test_a_state_of_20_mb_is_not_read(run: Path) -> None:
    content = (run / STEP / "state.json").read_bytes().rstrip().removesuffix(b"}")
    put(run, f"{STEP}/state.json", content + b" " * 20_000_000 + b"}")
    outcome = opened(run)
    assert "is damaged" in outcome.kept_notes[0]
    assert "20,00" in outcome.notes[0]


def test_tensors_larger_than_the_net_are_not_read(run: Path) -> None:
    path = run / STEP / "network.safetensors"
    tensors = {**safetensors.torch.load_file(path), "more": torch.zeros(5_000_000)}
    put(run, f"{STEP}/network.safetensors", safetensors.torch.save(tensors))
    outcome = opened(run)
    assert "is damaged" in outcome.kept_notes[0]
    assert "20,00" in outcome.notes[0]


# --- logs ---------------------------------------------------------------------------------------

ROWS = {
    "no lines": b"\n" * 1000,
    "much nesting": b"[" * 500_000 + b"\n" + b'{"a":' * 900 + b"\n",
    "one long line": b'{"step": 1, "split": "' + b"x" * 2_000_000 + b'"}\n',
    "rows of other types": b'{"step": "1"}\n{"step": null}\n{"step": [1]}\n{"step": 1.5}\n[]\n1\n',
    "steps beyond all bounds": b'{"step": 1' + b"0" * 4000 + b', "segment": 1}\n',
    "segments beyond all bounds": b'{"step": 1, "segment": 1' + b"0" * 300 + b"}\n",
    "numbers that are none": b'{"step": 1, "loss": NaN}\n{"step": 1, "loss": 1e999}\n',
    "values of other types": b'{"step": 1, "split": "train", "epoch": "x", "seconds": {}}\n',
    "losses of all kinds": b'{"step": 1, "split": "train", "epoch": 1e300, "loss": true}\n',
    "events of other types": b'{"step": 1, "event": {}, "differences": [{}, null, "\\ud800"]}\n',
    "an event of a later run": b'{"step": 900, "event": "resumed", "segment": 7}\n',
    "zeros": bytes(100_000),
    "a torn end": b'{"step": 1, "segm',
}


@pytest.mark.parametrize("file", LOGS)
@pytest.mark.parametrize("kind", ROWS)
def test_odd_logs(kind: str, file: str, run: Path) -> None:
    with (run / file).open("ab") as log:
        log.write(ROWS[kind])
    outcome = opened(run, ways=ALL_WAYS)
    assert outcome.errors == {}


@pytest.mark.parametrize("file", LOGS)
def test_a_log_of_very_many_lines_that_are_none_is_refused_soon(file: str, run: Path) -> None:
    with (run / file).open("ab") as log:
        log.write(b"{}\n" * 100_000)
    assert "is no log" in opened(run, ways=("list", "reopen")).refused("reopen")


def test_a_log_beyond_all_bounds_is_not_read(run: Path) -> None:
    os.truncate(run / "metrics.jsonl", MOST_LOG + 1)
    outcome = opened(run)
    assert f"metrics.jsonl has {MOST_LOG + 1:,} bytes" in outcome.refused("reopen")
    assert f"metrics.jsonl has {MOST_LOG + 1:,} bytes" in outcome.entry["state"]


def test_a_log_without_any_line_end_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n')
    os.truncate(path, 3 * 10**8)
    with bounded(memory=10**8):
        log = disk.Log(path)
    log.append('{"step": 2}')
    log.close()
    assert path.read_bytes() == b'{"step": 1}\n{"step": 2}\n'
    assert scan_rows(path) == ([{"step": 1}, {"step": 2}], [])


# --- folders ------------------------------------------------------------------------------------


def test_checkpoints_that_are_a_link(run: Path, precious: Path) -> None:
    elsewhere = precious.parent / "elsewhere"
    (run / "checkpoints").rename(elsewhere)
    (run / "checkpoints").symlink_to(elsewhere)
    outcome = opened(run)
    assert "checkpoints is a link" in outcome.refused("load")
    assert "checkpoints is a link" in outcome.refused("reopen")
    assert len(list(elsewhere.iterdir())) == 2


def test_checkpoints_that_are_no_folder(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").write_text("x")
    outcome = opened(run)
    assert "checkpoints is no folder" in outcome.refused("load")
    assert "checkpoints is no folder" in outcome.refused("reopen")


def test_a_checkpoint_that_is_a_link(run: Path, precious: Path) -> None:
    """It is passed over, and when the training comes to that update nothing is written through."""
    (run / "checkpoints" / "step-000000006").symlink_to(precious)
    outcome = opened(run, ways=ALL_WAYS)
    assert "step-000000006" in outcome.refused("resume")
    assert outcome.kept_notes == ()


def test_a_file_where_a_checkpoint_will_be_is_not_taken_for_one(run: Path) -> None:
    (run / "checkpoints" / "step-000000006").write_text("")
    assert "step-000000006" in opened(run, ways=ALL_WAYS).refused("resume")


NUMBERS = ["9" * 200, "9" * 19, "1" + "0" * 239, "٠٠٠٠٠٠٠٠٩", "-00000009", "00000009", "0000000009"]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"{len(number)} {number[:2]}")
def test_numbers_of_checkpoints_that_are_none(number: str, run: Path) -> None:
    shutil.copytree(run / STEP, run / "checkpoints" / f"step-{number}")
    outcome = opened(run, ways=ALL_WAYS)
    assert outcome.errors == {}
    assert outcome.kept_notes == ()
    assert outcome.notes == []


@pytest.mark.parametrize(
    "name", [".step-000000009.1.tmp", ".step-000000009.1.old", ".status.json.1.tmp"]
)
def test_debris_that_is_a_link_leads_nowhere(name: str, run: Path, precious: Path) -> None:
    for folder in (run, run / "checkpoints"):
        (folder / name).symlink_to(precious)
    assert opened(run, ways=ALL_WAYS).errors == {}


def test_debris_nested_beyond_all_bounds_is_no_error(run: Path) -> None:
    folder = run / "checkpoints" / ".step-000000009.1.tmp"
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=here)
        inner = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    try:
        assert opened(run, ways=("reopen",)).errors == {}
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def test_very_many_checkpoints_that_are_none(run: Path) -> None:
    for number in range(100, 400):
        checkpoints.folder_of(run / "checkpoints", number).mkdir()
    outcome = opened(run, ways=("load",))
    assert len(outcome.kept_notes) == 300
    assert outcome.errors == {}


@pytest.mark.parametrize("name", ["x" * 200, "run\x1b[2J", "run\nrun", "<b>run", "-rf", "\udcff"])
def test_names_of_runs_that_dnnlab_does_not_give(name: str, run: Path) -> None:
    other = run.rename(run.parent / name)
    outcome = opened(other)
    assert outcome.errors == {}


def test_a_result_that_is_a_folder_or_a_link(run: Path, precious: Path) -> None:
    (run / "result.json").symlink_to(precious / "file")
    opened(run, ways=ALL_WAYS)
    (run / "result.json").unlink(missing_ok=True)
    (run / "result.json").mkdir()
    outcome: Outcome = opened(run, ways=ALL_WAYS)
    assert outcome.entry["state"].startswith("unreadable")


# --- what a person sees ---------------------------------------------------------------------------

ODD_TEXT = "<b>\x1b[2J\nsecond line\r\u202e\x9b31m\ud800"


def test_odd_texts_in_a_run_leave_the_screen_as_it_is(
    original: Path, shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from dnnlab.cli import looking, training

    base = copied(original, shelf, "base")
    acts: dict[str, list[Callable[[Path], None]]] = {
        "status.json": [
            lambda run: looking.runs_command(runs=run.parent),
            lambda run: looking.runs_command(runs=run.parent, json=True),
        ],
        "run.json": [lambda run: looking.runs_command(runs=run.parent, json=True)],
        "environment.json": [lambda run: training.resume(str(run), quiet=False)],
        "data.json": [
            lambda run: looking.evaluate(str(run)),
            lambda run: training.resume(str(run), quiet=False),
        ],
    }
    for file, ways_to_look in acts.items():
        for way in keys_of(read_json(base / file)):
            run = copied(base, shelf, "odd")
            value = changed(json.loads((run / file).read_bytes()), way, ODD_TEXT)
            (run / file).write_text(json.dumps(value))
            for act in ways_to_look:
                shows(act, run)
            shutil.rmtree(run)
            said = capsys.readouterr()
            assert said.out + said.err
            for stream in (said.out, said.err):
                assert not set("\x1b\r\u202e\x9b\ud800") & set(stream), (file, way)
                assert not any(line.startswith("second line") for line in stream.splitlines())


def shows(act: Callable[[Path], None], run: Path) -> None:
    """Does something, and what it raises is shown as the command line shows it."""
    from dnnlab.errors import DnnlabError
    from dnnlab.report.screen import show_error

    try:
        act(run)
    except DnnlabError as error:
        show_error(error)


def test_the_folder_is_let_go_of_whatever_happens(run: Path) -> None:
    (run / "data.json").write_text("{}")
    opened(run)
    RunFolder.reopen(run).close()
    assert newest(run).name == "step-000000004"
