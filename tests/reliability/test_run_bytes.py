"""Whatever becomes of the bytes of a run, it is opened as it was, or refused."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.reliability.opening import (
    ALL_WAYS,
    Outcome,
    changed,
    copied,
    interrupted_run,
    keys_of,
    newest,
    opened,
    quick,
    seal,
)
from tests.support import cases, same_tensors

__all__ = ["quick"]

examples = settings(
    max_examples=cases(20),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
OLDER, NEWEST = "checkpoints/step-000000003", "checkpoints/step-000000004"
FILES = [
    *("run.json", "settings.json", "data.json", "environment.json", "status.json", "lock"),
    *("config.yaml", "config.source.yaml", "metrics.jsonl", "events.jsonl"),
    *(
        f"{step}/{name}"
        for step in (OLDER, NEWEST)
        for name in (
            *("network.safetensors", "optimizer.safetensors", "best.safetensors"),
            *("state.json", "manifest.json"),
        )
    ),
]
WITHOUT_USE = ("metrics.jsonl", "events.jsonl", "status.json", "lock", "config.source.yaml")
"""Files on which no number of the training depends."""


@dataclass(frozen=True)
class Original:
    """A run as it was stopped, and what comes of it."""

    run: Path
    outcome: Outcome

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """Lends a copy that may be harmed."""
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        with tempfile.TemporaryDirectory(prefix="dnnlab-test-", dir=memory) as folder:
            yield copied(self.run, Path(folder))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Original:
    run = interrupted_run(tmp_path_factory.mktemp("original"))
    files = sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.is_file())
    assert files == sorted(FILES)
    outcome = opened(copied(run, tmp_path_factory.mktemp("copy")), ways=ALL_WAYS)
    assert outcome.errors == {}
    assert outcome.notes == []
    return Original(run, outcome)


# --- bytes -------------------------------------------------------------------------------------


def cut(content: bytes, where: list[int], chunk: bytes) -> bytes:
    return content[: where[0] % (len(content) + 1)]


def flip(content: bytes, where: list[int], chunk: bytes) -> bytes:
    flipped = bytearray(content)
    for place in where:
        if flipped:
            flipped[place // 8 % len(flipped)] ^= 1 << place % 8
    return bytes(flipped)


def insert(content: bytes, where: list[int], chunk: bytes) -> bytes:
    place = where[0] % (len(content) + 1)
    return content[:place] + chunk + content[place:]


def overwrite(content: bytes, where: list[int], chunk: bytes) -> bytes:
    place = where[0] % (len(content) + 1)
    return content[:place] + chunk + content[place + len(chunk) :]


def take_out(content: bytes, where: list[int], chunk: bytes) -> bytes:
    place = where[0] % (len(content) + 1)
    return content[:place] + content[place + 1 + where[-1] % 40 :]


def replace(content: bytes, where: list[int], chunk: bytes) -> bytes:
    return chunk


def repeat(content: bytes, where: list[int], chunk: bytes) -> bytes:
    return content + content[: where[0] % (len(content) + 1)]


HARMS = (cut, flip, insert, overwrite, take_out, replace, repeat)
places = st.lists(st.integers(0, 2**16), min_size=1, max_size=3)
chunks = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"\x00" * 512, b"\n", b"}", b'"', b"0", b"9" * 30, b"-", b"\xff\xfe", b"# "]),
)


@examples
@given(file=st.sampled_from(FILES), harm=st.sampled_from(HARMS), where=places, chunk=chunks)
@example(file=f"{NEWEST}/network.safetensors", harm=flip, where=[8 * 1000], chunk=b"")
@example(file=f"{NEWEST}/optimizer.safetensors", harm=flip, where=[8 * 1000], chunk=b"")
@example(file=f"{NEWEST}/state.json", harm=overwrite, where=[30], chunk=b"9")
def test_any_bytes_of_any_file(
    file: str, harm: Any, where: list[int], chunk: bytes, original: Original
) -> None:
    """Where the run can be resumed all the same, its end is the same to the bit, or a note says
    which setting is another.
    """
    with original.copied() as run:
        (run / file).write_bytes(harm((run / file).read_bytes(), where, chunk))
        check(opened(run, ways=ALL_WAYS), original, file)


@examples
@given(file=st.sampled_from(FILES), other=st.sampled_from(FILES))
@example(file=f"{NEWEST}/network.safetensors", other=f"{NEWEST}/best.safetensors")
@example(file=f"{NEWEST}/manifest.json", other=f"{OLDER}/manifest.json")
def test_any_file_in_the_place_of_another(file: str, other: str, original: Original) -> None:
    with original.copied() as run:
        (run / file).write_bytes((original.run / other).read_bytes())
        check(opened(run, ways=ALL_WAYS), original, file)


def check(outcome: Outcome, original: Original, file: str) -> None:
    """Compares with what comes of the run when nothing was harmed."""
    known = original.outcome
    if outcome.end and not any(" -> " in note for note in outcome.notes):
        for group, tensors in known.end.items():
            assert same_tensors(tensors, outcome.end[group]), outcome.notes
    if outcome.kept and not outcome.kept_notes:
        assert same_tensors(outcome.kept, known.kept)
    if file in WITHOUT_USE and not file.endswith(".jsonl"):
        assert set(outcome.errors) == set()
    if file not in ("run.json", "status.json"):
        assert outcome.entry["step"] >= 0


# --- values ------------------------------------------------------------------------------------

words = st.sampled_from(["", "x", "1", "nan", "auto", "../../x", "\ud800", "\x1b[2J", "a" * 300])
numbers = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**100]),
    st.floats(),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, words)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=4,
)
JSON = ["run.json", "settings.json", "data.json", "environment.json", "status.json", "lock"]
STEP_JSON = ["manifest.json", "state.json"]


def near(value: Any) -> Any:
    """Returns another value that might stand in the same place."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 2 * value + 1
    return [*value, *value] if isinstance(value, list) else value


def harmed(value: Any, data: st.DataObject) -> Any:
    """Returns a JSON object with another value somewhere, or with a key more or less."""
    way = data.draw(st.sampled_from(list(keys_of(value))), label="way")
    outer = value
    for key in way[:-1]:
        outer = outer[key]
    kind = data.draw(st.sampled_from(["change", "change", "near", "near", "drop", "add"]))
    if kind == "near":
        return changed(value, way, near(outer[way[-1]]))
    if kind == "change" or not isinstance(outer, dict):
        return changed(value, way, data.draw(values, label="value"))
    if kind == "drop":
        less = {key: kept for key, kept in outer.items() if key != way[-1]}
        return changed(value, way[:-1], less) if way[:-1] else less
    more = {**outer, data.draw(words): data.draw(values, label="value")}
    return changed(value, way[:-1], more) if way[:-1] else more


@examples
@given(data=st.data())
def test_any_value_of_any_json_file(data: st.DataObject, original: Original) -> None:
    """A checkpoint's manifest is made to fit, so that what it holds is really looked at."""
    file = data.draw(st.sampled_from([*JSON, *STEP_JSON]))
    with original.copied() as run:
        path = (newest(run) if file in STEP_JSON else run) / file
        path.write_text(json.dumps(harmed(json.loads(path.read_bytes()), data)))
        if file == "state.json":
            seal(path.parent)
        outcome = opened(run, ways=ALL_WAYS)
        if file != "state.json":
            check(outcome, original, file)


@examples
@given(data=st.data())
def test_any_value_of_any_line(data: st.DataObject, original: Original) -> None:
    """The logs say what was; what comes of the run does not depend on them."""
    file = data.draw(st.sampled_from(["metrics.jsonl", "events.jsonl"]))
    with original.copied() as run:
        lines = (run / file).read_text().splitlines()
        number = data.draw(st.integers(0, len(lines) - 1))
        lines[number] = json.dumps(harmed(json.loads(lines[number]), data))
        (run / file).write_text("".join(f"{line}\n" for line in lines))
        outcome = opened(run, ways=ALL_WAYS)
        assert outcome.errors == {}
        check(outcome, original, file)


@examples
@given(data=st.data())
def test_any_setting_where_every_file_agrees_on_it(data: st.DataObject, original: Original) -> None:
    """Whoever writes a whole run can have any settings in it."""
    with original.copied() as run:
        saved = json.loads((run / "settings.json").read_bytes())
        saved["settings"] = harmed(saved["settings"], data)
        (run / "settings.json").write_text(json.dumps(saved))
        (run / "config.yaml").write_text(json.dumps(saved["settings"]))
        opened(run)


# --- tensors -----------------------------------------------------------------------------------

offsets = st.one_of(st.integers(-8, 200), st.sampled_from([2**31, 2**32, 2**63 - 1, 2**64 - 1]))
dtypes = st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "F4", "C64"])
parts = st.one_of(offsets, dtypes, st.lists(offsets, max_size=4), values)


@examples
@given(data=st.data())
def test_any_header_of_any_tensors(data: st.DataObject, original: Original) -> None:
    group = data.draw(st.sampled_from(["network", "optimizer", "best"]))
    with original.copied() as run:
        path = newest(run) / f"{group}.safetensors"
        content = path.read_bytes()
        (size,) = struct.unpack("<Q", content[:8])
        header: Any = json.loads(content[8 : 8 + size])
        for _ in range(data.draw(st.integers(1, 2))):
            ways = list(keys_of(header))
            if ways:
                header = changed(header, data.draw(st.sampled_from(ways)), data.draw(parts))
        text = json.dumps(header).encode()
        told = data.draw(st.sampled_from([len(text), len(text), len(text), len(text) + 1, 2**40]))
        path.write_bytes(struct.pack("<Q", told) + text + content[8 + size :])
        seal(path.parent)
        opened(run)


@examples
@given(place=places, harm=st.sampled_from(HARMS), chunk=chunks, number=st.integers(0, 3))
def test_any_bytes_that_a_manifest_vouches_for(
    place: list[int], harm: Any, chunk: bytes, number: int, original: Original
) -> None:
    names = ["network.safetensors", "optimizer.safetensors", "best.safetensors", "state.json"]
    with original.copied() as run:
        path = newest(run) / names[number]
        path.write_bytes(harm(path.read_bytes(), place, chunk))
        seal(path.parent)
        opened(run, ways=("load", "resume"))
