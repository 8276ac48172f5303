from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dnnlab.choices.datasets.cells import Table, encode, is_date, number
from dnnlab.errors import DataError, MachineError


def test_new_rows_are_encoded_like_those_learned_from(tmp_path: Path) -> None:
    columns = (
        {"name": "size", "kind": "numeric"},
        {"name": "town", "kind": "categorical", "categories": ["Bonn", "Köln", "Ulm"]},
        {"name": "age", "kind": "numeric"},
    )
    path = tmp_path / "new.csv"
    path.write_text("age,town,size,note\n5,Ulm,70,x\n6,Graz,75,y\n", encoding="utf-8")
    inputs, unknown = encode(Table.read(path), columns)
    assert inputs.tolist() == [[70, 0, 0, 1, 5], [75, 0, 0, 0, 6]]
    assert unknown == {"town": 1}
    path.write_text("age,town\n5,Ulm\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no column 'size'"):
        encode(Table.read(path), columns)
    path.write_text("size,age,town\nbig,5,Ulm\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: 'big' in column 'size' is no number"):
        encode(Table.read(path), columns)


@pytest.mark.parametrize(
    ("text", "decimal", "expected"),
    [
        ("2.5", ".", 2.5),
        ("-1e3", ".", -1000),
        ("2,5", ".", None),
        ("2,5", ",", 2.5),
        ("2.5", ",", None),
        ("1.234,5", ",", None),
        ("1e39", ".", None),
        ("1_0", ".", None),
        ("x", ",", None),
    ],
)
def test_what_a_number_is(text: str, decimal: str, expected: float | None) -> None:
    assert number(text, decimal) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31", True),
        ("31.1.2026", True),
        ("1/31/26 10:00", True),
        ("10115", False),
        ("1.5", False),
        ("A-1-2", False),
        ("1-2", False),
    ],
)
def test_what_a_date_is(text: str, expected: bool) -> None:
    assert is_date(text) is expected


def test_without_pyarrow_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MachineError, match="pyarrow, which is not installed") as caught:
        Table.read_parquet(tmp_path / "t.parquet")
    assert caught.value.remedy == "pip install dnnlab[tables]"


def test_what_is_no_parquet_file_is_said(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    with pytest.raises(DataError, match=f"there is no file {path}"):
        Table.read_parquet(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        Table.read_parquet(path)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        Table.read_parquet(tmp_path)
