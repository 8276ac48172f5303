from __future__ import annotations

import pytest

from dnnlab.methods.doctor import Check
from dnnlab.methods.summary import LayerRow, Summary
from dnnlab.report.screen import console
from dnnlab.report.tables import MOST_ROWS, show_checks, show_metrics, show_runs, show_summary


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def summary(num_layers: int) -> Summary:
    rows = tuple(LayerRow(f"dense{n}", "Linear", (100,), 10_100, 0) for n in range(1, num_layers))
    last = LayerRow("norm", "BatchNorm1d", (100,), 200, 200)
    return Summary((*rows, last), (784,), 10_100 * (num_layers - 1) + 200, 200)


def test_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(summary(2), console())
    assert lines_of(capsys) == [
        "layer   kind         output shape  parameters",
        "dense1  Linear       (B, 100)          10,100",
        "norm    BatchNorm1d  (B, 100)             400",
        "",
        "total 10,500, trainable 10,300, not trainable 200",
    ]


def test_the_middle_of_a_deep_net_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(summary(100), console())
    lines = lines_of(capsys)
    assert len(lines) == 1 + MOST_ROWS + 1 + 2
    assert lines[1].startswith("dense1 ")
    assert lines[1 + MOST_ROWS // 2].split() == ["...", "60", "more", "layers"]
    assert lines[MOST_ROWS + 1].startswith("norm")
    show_summary(summary(MOST_ROWS), console())
    assert "..." not in capsys.readouterr().out


def test_runs(capsys: pytest.CaptureFixture[str]) -> None:
    finished = {
        "run": "a-digits-0001",
        "state": "finished",
        "step": 1720,
        "test": {"loss": 0.25, "accuracy": 0.975, "other": 1.0},
        "best": {"step": 1700, "metric": "loss", "value": 0.2},
        "seconds": 7.5,
        "trainings": None,
    }
    begun = {
        "run": "b",
        "state": "running",
        "step": 10,
        "test": None,
        "best": None,
        "seconds": None,
        "trainings": None,
    }
    study = {**begun, "run": "c", "state": "interrupted", "trainings": {"done": 7, "of": 20}}
    measured = "loss 0.2500, accuracy 0.9750"
    show_runs([finished, begun, study], console())
    assert lines_of(capsys) == [
        f"run            state        updates            {'test':<29} best         time",
        f"a-digits-0001  finished     1,720              {measured}  loss 0.2000  7.5 s",
        f"b              running      10                 {'-':<29} -            -",
        f"c              interrupted  7 of 20 trainings  {'-':<29} -            -",
    ]


def test_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    result = {"split": "test", "examples": 10_000, "metrics": {"loss": 0.3, "r2": None}}
    show_metrics(result, console())
    assert lines_of(capsys) == [
        "test (10,000 examples)",
        "loss                    0.3000",
        "r2                           -",
    ]


def test_checks(capsys: pytest.CaptureFixture[str]) -> None:
    show_checks([Check("packages", "ok", "all"), Check("disk", "problem", "full [x]")], console())
    assert lines_of(capsys) == ["ok      packages  all", "problem disk      full [x]"]


HOSTILE = "\x1b[2J\n\u202e[bold]"
SHOWN = "\\x1b[2J\\n\\u202e[bold]"


def test_class_names_are_others_text(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"confusion": [[1, 0], [2, 3]]}
    show_metrics({"split": "test", "examples": 6, "metrics": metrics}, console(), (HOSTILE, "b"))
    lines = lines_of(capsys)
    assert lines[2].split() == ["confusion:", "true", SHOWN, "b"]
    assert lines[3].split() == [SHOWN, "1", "·"]
    assert lines[4].split() == ["b", "2", "3"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x\x1b", "x\\x1b"),
        (None, "-"),
        (float("nan"), "-"),
        (float("inf"), "inf"),
        (10**400, str(10**400)),
        ({"a": 1}, "{'a': 1}"),
        (True, "1.000"),
    ],
)
def test_what_files_of_others_say_is_shown_whatever_it_is(
    value: object, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {
        "run": HOSTILE,
        "state": HOSTILE,
        "step": 3,
        "test": {HOSTILE: value},
        "best": {"metric": HOSTILE, "value": value},
        "seconds": value,
        "trainings": None,
    }
    show_runs([run, {**run, "test": value, "best": value}], console())
    _, first, second = lines_of(capsys)
    assert first.startswith(f"{SHOWN}  {SHOWN}  3 ")
    assert f"  {SHOWN} {expected}  {SHOWN} {expected}  " in first
    if not isinstance(value, dict):
        assert second.split()[3:5] == ["-", "-"]


def test_findings_and_layers_are_others_text(capsys: pytest.CaptureFixture[str]) -> None:
    show_checks([Check("disk", "ok", HOSTILE)], console())
    layer = LayerRow(HOSTILE, HOSTILE, (1,), 1, 0)
    show_summary(Summary((layer,), (1,), 1, 0), console())
    lines = lines_of(capsys)
    assert lines[0] == f"ok      disk  {SHOWN}"
    assert lines[2].split()[:2] == [SHOWN, SHOWN]
