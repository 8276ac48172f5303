from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from dnnlab.runs.records import read_json
from tests.cli.conftest import Cli
from tests.support import DIGITS, finished_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return finished_run(tmp_path)


def test_evaluate(cli: Cli, run: Path) -> None:
    said = cli("evaluate")
    assert said.code == 0
    assert said.out.splitlines()[0].startswith("test (359 examples)")
    assert said.err.splitlines() == [
        "@last is runs/done",
        "runs/done, weights of update 12",
        "next: dnnlab predict done --split test --out predictions.csv",
    ]


def test_evaluate_as_json(cli: Cli, run: Path) -> None:
    said = cli("evaluate", "do", "--split", "validation", "--json")
    found = json.loads(said.out)
    assert found["metrics"] == read_json(run / "result.json")["metrics"]["validation"]
    assert set(found) == {"schema", "run", "step", "split", "examples", "metrics"}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--split", "tset"], 2, "--split tset: not train, validation or test"),
        (["--checkpoint", "11"], 4, "no checkpoint of step 11"),
        (["--device", "cuda:15"], 6, "cuda:15"),
        (["nothing-like-it"], 4, "there is no run 'nothing-like-it' in runs; the latest are done"),
    ],
)
def test_what_cannot_be_evaluated(
    words: list[str], code: int, message: str, cli: Cli, run: Path
) -> None:
    said = cli("evaluate", *words)
    assert said.code == code
    assert message in said.err
    assert said.out == ""


def test_predict_writes_csv(cli: Cli, run: Path) -> None:
    said = cli("predict", "done")
    assert said.code == 0
    assert said.out == "predictions.csv: 359 predictions\n"
    with open("predictions.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 360
    assert rows[0][:3] == ["example", "prediction", "target"]
    about = json.loads(cli("predict", "done", "--json").out)
    assert about == {
        "schema": 1,
        "run": "runs/done",
        "examples": 359,
        "file": "predictions.csv",
    }


def test_predict_writes_to_stdout_and_npz(cli: Cli, run: Path) -> None:
    said = cli("predict", "done", "--split", "validation", "--out", "-")
    assert len(list(csv.reader(io.StringIO(said.out)))) == 145
    np.savez("new.npz", inputs=np.zeros((3, 8, 8)))
    assert cli("predict", "done", "--data", "new.npz", "--out", "p.npz").code == 0
    with np.load("p.npz") as archive:
        assert archive["outputs"].shape == (3, 10)


def test_predict_refuses_an_ending_before_it_works(cli: Cli, run: Path) -> None:
    said = cli("predict", "done", "--out", "p.xlsx")
    assert said.code == 2
    assert "--out p.xlsx: the ending is not .csv or .npz" in said.err
    said = cli("predict", "done", "--out", "no/p.csv")
    assert said.code == 2
    assert "--out no/p.csv: there is no folder no" in said.err


def test_runs(cli: Cli, run: Path) -> None:
    said = cli("runs")
    assert said.out.splitlines()[1].split()[:3] == ["done", "finished", "12"]
    (entry,) = json.loads(cli("runs", "--json").out)["runs"]
    assert entry["test"] == read_json(run / "result.json")["metrics"]["test"]


def test_no_runs(cli: Cli) -> None:
    said = cli("runs")
    assert (said.code, said.out) == (0, "no runs in runs\n")
    assert json.loads(cli("runs", "--json").out) == {"schema": 1, "runs": []}


def test_summary(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(DIGITS)
    said = cli("summary", "tiny.yaml")
    assert said.out.splitlines()[-1] == "total 1,210, trainable 1,210, not trainable 0"
    assert said.err == "next: dnnlab train tiny.yaml --dry-run\n"
    found = json.loads(cli("summary", "tiny.yaml", "--set", "architecture.hidden=[]", "--json").out)
    assert found["parameters"]["total"] == 650


def test_what_a_word_cannot_do_is_refused_first(cli: Cli, run: Path) -> None:
    assert cli("evaluate", "--checkpoint", "lsat").code == 2
    assert cli("evaluate", "--device", "mps").code == 2
    assert cli("predict", "--out", "-", "--json").code == 2
    assert cli("predict", "--split", "tset").code == 2


def test_the_next_command_finds_a_run_that_lies_elsewhere(cli: Cli, run: Path) -> None:
    Path("r[x").mkdir()
    Path("runs").rename("r[x/]")
    said = cli("evaluate", "done", "--runs", "r[x/]")
    assert said.code == 0
    assert "next: dnnlab predict r[x/]/done --split test" in said.err
    assert "next: dnnlab evaluate r[x/]/done" in cli("runs", "--runs", "r[x/]").err


def test_one_broken_run_does_not_hide_the_others(cli: Cli, run: Path) -> None:
    broken = Path("runs/broken")
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    (broken / "status.json").write_text('{"state": "running", "step": "abc"}')
    entries = {entry["run"]: entry for entry in json.loads(cli("runs", "--json").out)["runs"]}
    assert entries["done"]["state"] == "finished"
    assert entries["broken"]["state"].startswith("unreadable: ")
    assert cli("runs").code == 0
