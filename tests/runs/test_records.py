from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.errors import RunError
from dnnlab.runs.records import effective, parse_json, read_json, read_rows, row_of, to_json
from dnnlab.training.loop import Record


def test_the_shape_of_a_row() -> None:
    record = Record(1719, 1, "validation", {"loss": 0.51, "accuracy": 0.82, "lr": 0.001})
    assert row_of(record, segment=0, seconds=9.10001) == {
        "v": 1,
        "segment": 0,
        "step": 1719,
        "epoch": 1,
        "split": "validation",
        "loss": 0.51,
        "accuracy": 0.82,
        "lr": 0.001,
        "seconds": 9.1,
    }


def test_json_holds_no_nan() -> None:
    text = to_json({"a": [math.nan, {"b": -math.inf}], "c": 1.5})
    assert json.loads(text) == {"a": [None, {"b": None}], "c": 1.5}


def test_torn_and_damaged_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\nnoise\n[1]\n\xff\n{"step": 2}\n{"step": 3')
    assert read_rows(path) == [{"step": 1}, {"step": 2}]
    assert read_rows(tmp_path / "none") == []


@given(content=st.binary(max_size=200))
def test_any_bytes_are_rows_or_passed_over(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        path.write_bytes(content)
        assert all(isinstance(row, dict) for row in read_rows(path))


def test_rows_after_the_checkpoint_that_was_resumed_from_are_superseded() -> None:
    def row(segment: int, step: int) -> dict[str, int]:
        return {"segment": segment, "step": step}

    begins = {0: 0, 1: 5, 2: 10}
    first = [row(0, 5), row(0, 5), row(0, 10), row(0, 15)]
    second = [row(1, 10), row(1, 15)]
    third = [row(2, 15), row(2, 20)]
    assert effective(first, {0: 0}) == first
    assert effective(first + second, {0: 0, 1: 5}) == [*first[:2], *second]
    assert effective(first + second + third, begins) == [*first[:2], second[0], *third]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"run\.json"):
        read_json(path)
    with pytest.raises(RunError, match=r"none\.json cannot be read"):
        read_json(tmp_path / "none.json")
    assert parse_json(b'{"a": 1}', path) == {"a": 1}


def test_what_is_not_finite_is_null_and_its_word_is_kept() -> None:
    values = {"loss": math.nan, "gradient_norm": math.inf, "lr": 0.1}
    row = json.loads(to_json(row_of(Record(5, 1, "train", values), segment=0, seconds=1.0)))
    assert (row["loss"], row["gradient_norm"], row["lr"]) == (None, None, 0.1)
    assert row["not_finite"] == {"loss": "nan", "gradient_norm": "inf"}
    fine = row_of(Record(5, 1, "train", {"loss": 1.0}), segment=0, seconds=1.0)
    assert "not_finite" not in fine
