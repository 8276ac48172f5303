from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dnnlab.errors import ConfigError, RunError
from dnnlab.runs.names import MOST_BYTES, NAME, as_name, check_name, find, run_folders


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


def make_run(runs: Path, name: str, age: int = 0, about: str = "{}") -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(about)
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


def test_a_folder_that_somebody_renamed_is_found_by_its_whole_name(tmp_path: Path) -> None:
    run = make_run(tmp_path, "my best (of 3)")
    make_run(tmp_path, "my best (of 3) again")
    assert find("my best (of 3)", tmp_path) == run


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


def test_nothing_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a shell's variable that is not set, in a folder that is a run with one run in it."""
    make_run(tmp_path, "here")
    make_run(tmp_path / "here", "only")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(RunError, match="there is no run ''"):
        find("", Path())


NO_NAMES = [
    "../x",
    "/etc",
    "x" * 300,
    "x/" * 3000,
    "a\nb",
    "a\0b",
    "CON",
    "\x1b[2J",
    "..",
    "\udcff",
]


@pytest.mark.parametrize("word", [*NO_NAMES, "\udcff"])
def test_a_word_that_is_no_name_is_no_run(word: str, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "a")
    with pytest.raises(RunError, match="there is no run ") as caught:
        find(word, tmp_path / "runs")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200 + len(str(tmp_path))


@given(st.text())
@example("../outside")
@example("../runs/../outside")
def test_a_name_never_leads_out_of_the_folder(
    tmp_path_factory: pytest.TempPathFactory, word: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "never-out"
    if not folder.exists():
        make_run(folder / "runs", "a")
        make_run(folder, "outside")
    with contextlib.suppress(RunError):
        assert find(word, folder / "runs") == folder / "runs" / "a"


def test_a_link_that_leads_out_of_the_folder(tmp_path: Path) -> None:
    runs, outside = tmp_path / "runs", make_run(tmp_path, "outside")
    good = make_run(runs, "good")
    (runs / "evil").symlink_to(outside)
    (runs / "twice").symlink_to("evil")
    (runs / "best").symlink_to("good")
    assert run_folders(runs) == [runs / "best", good]
    for word in ("evil", "twice", str(runs / "evil"), f"{runs}/evil/"):
        with pytest.raises(RunError, match="leads out of .*, to .*outside"):
            find(word, runs)
    with pytest.raises(RunError, match="there is no run 'ev'"):
        find("ev", runs)
    assert find(str(outside), runs) == outside
    assert find("best", runs) == runs / "best"


def test_the_runs_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    make_run(tmp_path / "big-disk", "a")
    (tmp_path / "runs").symlink_to("big-disk")
    assert run_folders(tmp_path / "runs") == [tmp_path / "runs" / "a"]
    assert find("a", tmp_path / "runs") == tmp_path / "runs" / "a"


def test_runs_are_ordered_by_what_they_say_of_their_beginning(tmp_path: Path) -> None:
    """A copied folder is as new as the copy."""
    second = make_run(tmp_path, "b", 9, '{"created": "2026-11-22T12:00:00+00:00"}')
    third = make_run(tmp_path, "a", 8, '{"created": "2026-11-22T12:00:00+00:00"}')
    first = make_run(tmp_path, "c", 1, '{"created": "2026-11-22T12:30:00+01:00"}')
    assert run_folders(tmp_path) == [first, second, third]


@pytest.mark.parametrize(
    "about",
    ["", "{", "[]", "3", '{"created": 3}', '{"created": "soon"}', '{"created": null}', "[" * 99_999]
    + ['{"created": "9999-12-31T23:59:59-23:59"}', '{"created": "0001-01-01"}', "\xff"]
    + [json.dumps({"command": "x" * MOST_BYTES, "created": "2036-01-01T00:00:00+00:00"})],
)
def test_a_run_that_does_not_say_its_beginning_is_as_old_as_its_file(
    about: str, tmp_path: Path
) -> None:
    runs = [make_run(tmp_path, "a", 2), make_run(tmp_path, "b", 1)]
    runs.insert(1, make_run(tmp_path, "c", 0, about))
    os.utime(runs[1] / "run.json", (999_998.5, 999_998.5))
    expected = {"9999": [0, 2, 1], "0001": [1, 0, 2]}.get(about[13:17], [0, 1, 2])
    assert run_folders(tmp_path) == [runs[index] for index in expected]


def test_what_else_lies_in_the_folder_is_passed_over(tmp_path: Path) -> None:
    run = make_run(tmp_path, "run")
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "odd" / "run.json").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "run.json")
    assert run_folders(tmp_path) == [run]
    assert run_folders(tmp_path / "file") == []


def test_folders_that_go_away_while_one_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [make_run(tmp_path, name) for name in "abc"]
    real = os.listdir(tmp_path)

    def listed_before(path: Path) -> list[str]:
        shutil.rmtree(runs[1], ignore_errors=True)
        return real

    monkeypatch.setattr(os, "listdir", listed_before)
    assert run_folders(tmp_path) == [runs[0], runs[2]]


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", forbidden)  # root may read everything
    with pytest.raises(RunError, match="cannot be read: Permission denied"):
        run_folders(tmp_path)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    make_run(tmp_path, "a")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("a", "dangling"):
        with pytest.raises(RunError, match=f"there is a run '{name}'"):
            check_name(name, tmp_path)
    assert check_name("b", tmp_path) == "b"
