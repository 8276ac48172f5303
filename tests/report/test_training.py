from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dnnlab.methods.summary import Preview
from dnnlab.methods.train import start
from dnnlab.report.screen import console
from dnnlab.report.training import show_header, show_preview, show_result, watch
from dnnlab.runs.records import read_json
from tests.support import DIGITS, config_file, made_up_data, session_of
from tests.variations import EXPLODES, HUGE_ROW, text_of


def watched(folder: Path, text: str = DIGITS, *, terminal: bool) -> tuple[list[str], list[str]]:
    """Returns what is said while a run trains, and what is said of its result."""
    training = start(config_file(folder, text), runs=folder, name="r", command=[])
    said = Console(file=io.StringIO(), force_terminal=terminal, width=300, color_system=None)
    show_header(training.session, said)
    watch(training.carry_on(), training.session, said)
    after = Console(file=io.StringIO(), width=100)
    show_result(read_json(folder / "r" / "result.json"), training.folder.rows(), after)
    texts = [console.file.getvalue() for console in (said, after)]  # type: ignore[attr-defined]
    return texts[0].splitlines(), texts[1].splitlines()


def test_one_line_per_record_where_nobody_watches(tmp_path: Path) -> None:
    lines, _ = watched(tmp_path, terminal=False)
    assert lines[0] == "digits: 1,294 train, 144 validation, 359 test"
    assert lines[1] == (
        "mlp: 1,210 parameters, 12 updates (21 an epoch), cpu, 1 thread, float32, eager engine"
    )
    pattern = r"epoch 0\.\d+/0\.5714  train: loss \d\.\d+, accuracy 0\.\d+  validation: loss .*"
    assert len(lines[2:]) == 3
    assert all(re.fullmatch(pattern, line) for line in lines[2:]), lines


def test_a_terminal_gets_a_bar_besides(tmp_path: Path) -> None:
    lines, _ = watched(tmp_path, terminal=True)
    text = "\n".join(lines)
    assert "12/12" in text
    assert text.count("train: loss") == 3


@pytest.mark.parametrize("terminal", [False, True])
def test_what_was_not_finite_is_said_when_it_happens(terminal: bool, tmp_path: Path) -> None:
    lines, after = watched(tmp_path, text_of(HUGE_ROW, tmp_path), terminal=terminal)
    said = [line for line in lines if "left out" in line]
    pattern = (
        r".*update \d+: .*running_var after the update is not finite \(lr 0\.01; gradient norms "
        r"before it: .*\); left out \(\d of at most 8\).*"
    )
    assert len(said) == 5
    assert all(re.fullmatch(pattern, line) for line in said), said
    assert re.fullmatch(r"14 updates in .*; all updates applied but 5", after[-2])


@pytest.mark.parametrize("terminal", [False, True])
def test_going_back_is_said_when_it_happens(terminal: bool, tmp_path: Path) -> None:
    lines, after = watched(tmp_path, text_of(EXPLODES, tmp_path), terminal=terminal)
    said = [line for line in lines if "; back to" in line]
    assert [line.partition("; back")[2].strip() for line in said] == [
        "to update 5, lr times 1e-06 (1 of at most 3)",
        "to update 5, lr times 1e-12 (2 of at most 3)",
    ]
    assert all(re.search(r"update (9|10): .* is not finite \(lr 1", line) for line in said)
    assert re.fullmatch(r"14 updates in .*; all updates applied; went back 2 times", after[-2])


def test_the_result_is_a_table_and_a_curve(tmp_path: Path) -> None:
    _, lines = watched(tmp_path, terminal=False)
    assert [line.split()[0] for line in lines[:4]] == ["split", "train", "validation", "test"]
    assert any(line.startswith("loss  o train  · validation") for line in lines)
    assert re.fullmatch(r"12 updates in .*; all updates applied", lines[-2])
    assert lines[-1].startswith("best validation loss ")


def test_a_result_with_one_record_has_no_curve(capsys: pytest.CaptureFixture[str]) -> None:
    result = {
        "metrics": {"train": {"loss": 1.0}, "test": {"loss": None}},
        "best": None,
        "seconds": {"total": 2.0, "training": 1.0},
        "updates": 3,
        "skipped": 0,
        "rollbacks": 0,
        "ended": "all updates applied",
    }
    rows = [
        {"split": "train", "epoch": 1, "loss": 1.0},
        {"split": "train", "epoch": 2, "loss": None},
    ]
    show_result(result, rows, console())
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "split   loss",
        "train  1.000",
        "test       -",
        "",
        "3 updates in 2.0 s, training 1.0 s; all updates applied",
    ]


def test_a_header_without_validation(tmp_path: Path) -> None:
    text = DIGITS.replace("data: digits", "data: {name: digits, validation: null}")
    data = made_up_data(num_train=200)
    session = session_of(text, replace(data, validation=None), folder=tmp_path)
    out = Console(file=io.StringIO(), width=100)
    show_header(session, out)
    assert "validation" not in out.file.getvalue()  # type: ignore[attr-defined]


def test_a_preview(capsys: pytest.CaptureFixture[str]) -> None:
    preview = Preview(
        sizes={"train": 1000, "test": 10},
        trainable=500,
        fixed=12,
        updates=320,
        updates_per_epoch=32,
        engine="eager",
        device="cpu",
        threads=2,
        precision="float32",
        memory_bytes=2**20,
        disk_bytes=3 * 2**20,
        seconds=90.0,
    )
    show_preview(preview, console())
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "data 1,000 train, 10 test",
        "parameters 512 (500 trainable)",
        "updates 320 (32 an epoch)",
        "runs on cpu, 2 threads, float32, eager engine",
        "memory 1.0 MiB and the activations of a batch",
        "disk 3.0 MiB at the most",
        "time about 1 min 30 s, evaluations not counted",
    ]
