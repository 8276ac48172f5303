from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dnnlab.methods.verify_resume import differences
from dnnlab.runs.records import read_json
from tests.cli.conftest import Cli
from tests.methods.test_study import A, B


@pytest.fixture(autouse=True)
def configs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(A)
    (tmp_path / "b.yaml").write_text(B)


def both(*more: str) -> tuple[str, ...]:
    return ("transfer", "--from", "a.yaml", "--to", "b.yaml", *more)


def test_a_config_is_trained_first_and_reused_the_next_time(cli: Cli) -> None:
    said = cli(*both())
    assert said.code == 0
    assert "training a, the source: runs/a-digits-0001" in said.err
    table = said.err.split("from runs/a-digits-0001:\n")[1].splitlines()
    assert [line.split()[:2] for line in table[1:4]] == [
        ["dense1", "reused"],
        ["dense2", "reused"],
        ["output", "new"],
    ]
    assert said.out.splitlines()[-1] == "run: runs/b-digits-0001"
    assert said.err.splitlines()[-1] == "next: dnnlab evaluate b-digits-0001"
    again = cli(*both("--json", "--quiet"))
    assert again.err == ""
    assert json.loads(again.out)["run"] == "runs/b-digits-0002"
    assert differences(Path("runs/b-digits-0001"), Path("runs/b-digits-0002")) == []
    assert not Path("runs/a-digits-0002").exists()
    parents = [read_json(Path(f"runs/b-digits-000{n}/run.json"))["parent"] for n in (1, 2)]
    assert parents[0] == parents[1]
    assert parents[0]["run"] == "runs/a-digits-0001"


def test_a_dry_run_needs_no_trained_source_and_writes_nothing(cli: Cli) -> None:
    said = cli(*both("--dry-run"))
    assert said.code == 0
    assert said.err.startswith("from a.yaml, yet to be trained:\nlayer ")
    assert said.err.splitlines()[-1].startswith("nothing was written. next: dnnlab transfer")
    layers = json.loads(cli(*both("--dry-run", "--json")).out)["layers"]
    assert [row["fate"] for row in layers] == ["reused", "reused", "new"]
    assert not Path("runs").exists()


def test_a_comparison_ends_with_a_table_a_picture_and_a_verdict(cli: Cli) -> None:
    said = cli(*both("--scratch", "--seeds", "2", "--name", "both"))
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["transfer", "scratch"]
    assert lines[-2:] == ["picture: runs/both/plots/study.png", "study: runs/both"]
    assert "95 % interval" in said.out
    assert Path("runs/both/plots/study.png").read_bytes().startswith(b"\x89PNG")
    assert "scratch-seed-43: test loss" in said.err
    listed = {run["run"]: run for run in json.loads(cli("runs", "--json").out)["runs"]}
    assert listed["both"]["trainings"] == {"done": 4, "of": 4}
    assert listed["both"]["state"] == "finished"
    assert "4 of 4 trainings" in cli("runs").out
    assert cli("resume", "both").code == 4
    asked = cli("evaluate", "both")
    assert asked.code == 4
    assert "is a study of several runs" in asked.err
    inside = cli("evaluate", "runs/both/runs/transfer-seed-42", "--json")
    assert inside.code == 0


def test_depths_are_swept(cli: Cli) -> None:
    said = cli(*both("--reuse-depths", "all", "--json", "--quiet"))
    assert [arm["x"] for arm in json.loads(said.out)["arms"]] == [0, 1, 2]
    refused = cli(*both("--reuse-depths", "0,7"))
    assert refused.code == 2
    assert "numbers from 0 to 2" in refused.err


def test_mistakes_cost_no_training(cli: Cli, tmp_path: Path) -> None:
    """A typo is found before the source is trained for it."""
    said = cli(*both("--set", "transfer.reuse={layers: [dense1, dence2]}"))
    assert said.code == 2
    assert "no layer is called 'dence2'; did you mean dense2?" in said.err
    (tmp_path / "other.yaml").write_text(A.replace("[12, 10]", "[13, 11]"))
    said = cli("transfer", "--from", "other.yaml", "--to", "b.yaml", "--scratch")
    assert said.code == 4
    assert "dense1.weight is 13 x 64 there, 12 x 64 here" in said.err
    assert "no layer of other.yaml, yet to be trained can be reused" in said.err
    said = cli("transfer", "--from", "nowhere", "--to", "b.yaml")
    assert said.code == 4
    said = cli("transfer", "--from", "a.yaml", "--to", "nowhere.yaml")
    assert said.code == 2
    assert not Path("runs").exists()


def test_train_says_that_it_reuses_nothing(cli: Cli) -> None:
    said = cli("train", "b.yaml")
    assert "note: from scratch; dnnlab transfer --from SOURCE --to b.yaml reuses layers" in said.err
    run = Path("runs/b-digits-0001")
    assert "transfer" not in (run / "config.yaml").read_text()
    assert read_json(run / "run.json")["parent"] is None


def test_another_activation_is_said(cli: Cli) -> None:
    said = cli(*both("--dry-run", "--set", "activation=elu"))
    assert "note: activation: relu there, elu here; reused weights expect their own" in said.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_study_that_a_signal_ends_goes_on_to_the_same_bits(
    number: signal.Signals, cli: Cli, tmp_path: Path
) -> None:
    slower = B.replace("epochs: 2,", "epochs: 40,")
    (tmp_path / "b.yaml").write_text(slower)
    words = both("--scratch", "--quiet", "--json", "--name")
    whole = json.loads(cli(*words, "whole").out)
    process = subprocess.Popen(
        [sys.executable, "-m", "dnnlab", *words, "cut"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    cut = tmp_path / "runs" / "cut" / "runs" / "transfer-seed-42"
    while not (cut / "metrics.jsonl").exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, number)
    said = process.communicate(timeout=60)[1]
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "resume: dnnlab resume runs/cut" in said
    resumed = cli("resume", "cut", "--quiet", "--json")
    assert resumed.code == 0, resumed.err
    found = json.loads(resumed.out)
    assert {**found, "study": ""} == {**whole, "study": ""}
    for name in ("transfer-seed-42", "scratch-seed-42"):
        runs = (tmp_path / "runs" / study / "runs" / name for study in ("whole", "cut"))
        assert differences(*runs) == []


def test_the_last_is_the_study_whose_source_is_finished(cli: Cli) -> None:
    assert cli(*both("--scratch", "--name", "study", "--quiet")).code == 0
    Path("runs/study/result.json").unlink()
    said = cli("resume", "@last", "--json", "--quiet")
    assert json.loads(said.out)["study"] == "runs/study"
    again = cli("resume", "@last")
    assert again.code == 4
    assert "runs/a-digits-0001 is finished" in again.err
