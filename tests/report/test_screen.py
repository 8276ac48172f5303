from __future__ import annotations

import io
import json
import sys

import pytest

from dnnlab.errors import ConfigError, DataError, Problem, RunError
from dnnlab.report.screen import (
    MOST_CHARACTERS,
    PLAIN_WIDTH,
    cell,
    console,
    note,
    say,
    show_csv,
    show_error,
    show_json,
    show_text,
    show_warnings,
    table,
)


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


HOSTILE = "\x1b[2J\n\u202e"


def test_others_text_stays_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("a", f"b{HOSTILE}")
    show_text("a", f"b{HOSTILE}")
    assert capsys.readouterr() == ("a\nb\\x1b[2J\\n\\u202e\n",) * 2
    note(HOSTILE)
    show_warnings([Problem(HOSTILE, HOSTILE)], sys.stdout)
    problems = [Problem(HOSTILE, HOSTILE), Problem("1:2", "short")]
    show_error(ConfigError(HOSTILE, problems, remedy=HOSTILE))
    shown = "\\x1b[2J\\n\\u202e"
    out, err = capsys.readouterr()
    assert out == f"warning: {shown} {shown}\n"
    assert err.splitlines() == [
        f"note: {shown}",
        f"error: 2 problems in {shown}",
        f"  {shown}  {shown}",
        f"  {'1:2':<{len(shown)}}  short",
        f"nothing was written. remedy: {shown}",
    ]
    rows = table("a")
    rows.add_row(cell(f"[b]{HOSTILE} :smile:"))
    console().print(rows)
    assert capsys.readouterr().out.splitlines()[1] == f"[b]{shown} :smile:"


def test_a_message_is_no_longer_than_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(ConfigError("a", [Problem("x" * 10**6, "\0" * 10**6)], message="y" * 10**6))
    first, second, _ = capsys.readouterr().err.splitlines()
    assert first == "error: " + "y" * (MOST_CHARACTERS - 3) + "..."
    assert second.endswith("\\x00\\...")
    assert len(second) == 2 * MOST_CHARACTERS + 4
    assert len(cell("z" * 10**6)) == MOST_CHARACTERS


def test_json_is_exact_in_any_alphabet(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": f"猫{HOSTILE}\udcff", "b": float("nan")})
    out = capsys.readouterr().out
    assert out.isascii()
    assert out.count("\n") == 1
    assert json.loads(out) == {"a": f"猫{HOSTILE}\udcff", "b": None}


def test_a_table_is_exact_unless_somebody_looks(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    show_csv(f"a,猫\n\x1b[2J,\udcff{HOSTILE}\n")
    assert capsysbinary.readouterr().out == b"a,\xe7\x8c\xab\n\x1b[2J,\xff\x1b[2J\n\xe2\x80\xae\n"
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda stream: True)
    show_csv("a,b\n\x1b[2J,c\n")
    assert capsysbinary.readouterr().out == b"a,b\n\\x1b[2J,c\n"


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"NO_COLOR": ""}, True)],
)
def test_colours_on_a_terminal(
    variables: dict[str, str],
    coloured: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"NO_COLOR": "", "TERM": "xterm", "COLUMNS": "20", **variables}.items():
        monkeypatch.setenv(name, value)
    note("x")
    assert capsys.readouterr().err == "note: x\n"
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda stream: True)
    note("x")
    assert ("\x1b" in capsys.readouterr().err) is coloured
    assert console().width == PLAIN_WIDTH
    if "TERM" not in variables:  # what a dumb terminal says of its width is left to rich
        assert console(stderr=True).width == 20


def test_a_file_is_no_terminal_whatever_the_environment_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    for out in (console(), console(stderr=True)):
        assert not out.is_terminal
        out.print("[bold]x[/] " + "word " * 10)
    assert capsys.readouterr() == ("x " + "word " * 10 + "\n",) * 2


def test_a_table_comes_after_what_was_printed_before(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdout", stream)
    show_text("before")
    show_csv("after\n")
    assert stream.buffer.getvalue() == b"before\nafter\n"
