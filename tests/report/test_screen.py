from __future__ import annotations

import sys

import pytest

from dnnlab.errors import ConfigError, DataError, Problem, RunError
from dnnlab.report.screen import PLAIN_WIDTH, console, show_error, show_warnings, table


def test_results_and_everything_else_go_separate_ways(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("result")
    console(stderr=True).print("progress")
    assert capsys.readouterr() == ("result\n", "progress\n")


def test_a_pipe_gets_plain_lines_that_are_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("[bold]x[/] " + "word " * 60)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert console().width == PLAIN_WIDTH


def test_problems_come_with_their_places_in_a_column(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [
        Problem("12:3", "unknown key 'b'", (0, 12, 3)),
        Problem("7:9", "optimizer.lr: -0.1 is not greater than 0", (0, 7, 9)),
    ]
    show_error(ConfigError("configs/a.yaml", problems, remedy="dnnlab describe optimizer sgd"))
    assert capsys.readouterr().err == (
        "error: 2 problems in configs/a.yaml\n"
        "  7:9   optimizer.lr: -0.1 is not greater than 0\n"
        "  12:3  unknown key 'b'\n"
        "nothing was written. see: dnnlab describe optimizer sgd\n"
    )


def test_an_error_names_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(DataError("[the] data are gone", remedy="restore them"))
    assert capsys.readouterr().err == "error: [the] data are gone\nremedy: restore them\n"
    show_error(RunError("it is finished", remedy="dnnlab evaluate x"))
    assert capsys.readouterr().err == "error: it is finished\nsee: dnnlab evaluate x\n"


def test_a_hundred_problems_still_fit_on_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(ConfigError("a.yaml", [Problem(f"{n}:1", "bad", (0, n, 1)) for n in range(1, 101)]))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "error: 100 problems in a.yaml"
    assert lines[-2] == "  ... and 80 more"
    assert len(lines) == 23


def test_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    show_warnings([Problem("3:1", "selu [x]"), Problem("", "no place")], sys.stderr)
    assert capsys.readouterr().err == "warning: 3:1 selu [x]\nwarning: no place\n"


def test_tables_have_no_frames(capsys: pytest.CaptureFixture[str]) -> None:
    rows = table("split", "loss")
    rows.add_row("train", "0.5")
    rows.add_row("validation", "10.25")
    console().print(rows)
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == [
        "split        loss",
        "train         0.5",
        "validation  10.25",
    ]
