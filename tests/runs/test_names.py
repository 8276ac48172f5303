from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.errors import ConfigError, RunError
from dnnlab.runs.names import NAME, as_name, check_name, find, run_folders


@pytest.mark.parametrize("name", ["a", "selu100-42", "A.b_c", "9", "x" * 100])
def test_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "../x", "/etc", "a/b", "CON", "con.txt", "x" * 101, "a\nb", ".hidden", "-x", "a b", "ä"]
    + ["x.", "a\0b", "@last", "LPT1"],
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ConfigError, match="a run's name has 1 to 100 letters"):
        check_name(name)


@given(st.text())
def test_any_text_becomes_a_name(text: str) -> None:
    assert NAME.fullmatch(as_name(text))


def make_run(runs: Path, name: str, age: int) -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    os.utime(folder / "run.json", (1_000_000 - age, 1_000_000 - age))
    return folder


def test_finding_a_run(tmp_path: Path) -> None:
    old, new = make_run(tmp_path, "a-0001", 2), make_run(tmp_path, "b-0001", 1)
    (tmp_path / "no-run").mkdir()
    assert run_folders(tmp_path) == [old, new]
    assert find("@last", tmp_path) == new
    assert find("a-0001", tmp_path) == old
    assert find("a", tmp_path) == old
    assert find(str(new), Path("elsewhere")) == new


def test_what_names_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run in"):
        find("@last", tmp_path)
    make_run(tmp_path, "a-0001", 2)
    make_run(tmp_path, "a-0002", 1)
    with pytest.raises(RunError, match="'a' begins the names of 2 runs: a-0001, a-0002"):
        find("a", tmp_path)
    with pytest.raises(RunError, match="there is no run 'c' in .*; the latest are a-0001, a-0002"):
        find("c", tmp_path)
    assert run_folders(tmp_path / "none") == []
