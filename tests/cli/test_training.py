from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dnnlab.cli import signals
from dnnlab.methods import train as training
from dnnlab.runs.checkpoints import steps
from dnnlab.runs.records import read_json
from tests.cli.conftest import Cli
from tests.support import DIGITS


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(DIGITS + "optimizer: sgd\n")
    return "tiny.yaml"


def test_train_ends_with_the_result_the_folder_and_the_next_command(cli: Cli, config: str) -> None:
    said = cli("train", config)
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["split", "train", "validation", "test"]
    assert lines[-1] == "run: runs/tiny-digits-0001"
    assert said.err.splitlines()[-1] == "next: dnnlab evaluate tiny-digits-0001"
    assert "\x1b" not in said.out + said.err
    assert Path("runs/tiny-digits-0001/result.json").is_file()


def test_json_is_one_object_and_the_result_on_disk(cli: Cli, config: str) -> None:
    said = cli("train", config, "--json", "--quiet", "--name", "mine", "--runs", "elsewhere")
    assert said.code == 0
    assert said.err == ""
    assert json.loads(said.out) == read_json(Path("elsewhere/mine/result.json"))


def test_options_change_the_config_before_it_is_validated(cli: Cli, config: str) -> None:
    said = cli("train", config, "--seed", "7", "--set", "optimizer.lr=3e-3", "--quiet", "--json")
    run = Path(json.loads(said.out)["run"])
    saved = (run / "config.yaml").read_text()
    assert json.loads(said.out)["seed"] == 7
    assert "lr: 0.003" in saved
    said = cli("train", config, "--set", "optimizer.lr=-1", "--set", "optimiser=sgd")
    assert said.code == 2
    assert "--set optimizer.lr" in said.err
    assert "did you mean 'optimizer'?" in said.err


def test_warnings_are_said_and_do_not_stop(cli: Cli, config: str) -> None:
    said = cli("train", config, "--set", "activation=selu", "--set", "initializer=he_normal")
    assert said.code == 0
    assert (
        "warning: --set initializer initializer: selu normalizes itself with lecun_normal"
        in said.err
    )


def test_a_dry_run_writes_nothing(cli: Cli, config: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    said = cli("train", config, "--dry-run")
    assert said.code == 0
    assert "12 (21 an epoch)" in said.out
    assert said.err.splitlines()[-1] == "nothing was written. next: dnnlab train tiny.yaml"
    about = json.loads(cli("train", config, "--dry-run", "--json").out)
    assert about["updates"] == 12
    assert sorted(tmp_path.rglob("*")) == before


def test_a_name_that_is_taken_and_one_that_is_none(cli: Cli, config: str) -> None:
    assert cli("train", config, "--name", "mine", "--quiet").code == 0
    said = cli("train", config, "--name", "mine")
    assert said.code == 4
    assert "there is a run 'mine'" in said.err
    assert cli("train", config, "--name", "../mine").code == 2


def test_a_config_that_is_not_there(cli: Cli) -> None:
    said = cli("train", "no.yaml")
    assert said.code == 2
    assert "no.yaml" in said.err


def test_a_training_that_diverges_exits_5(cli: Cli, config: str) -> None:
    said = cli("train", config, "--set", "optimizer.lr=1e30", "--name", "boom")
    assert said.code == 5
    assert "is not finite" in said.err
    assert "remedy: a lower optimizer.lr" in said.err
    assert said.out == ""


class StopAfter:
    """Asks to stop at the n-th look, as a Ctrl-C at that moment would."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


def test_interrupted_and_resumed(cli: Cli, config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_on = training.Training.carry_on

    def interrupted(self: training.Training, stop: signals.Stop) -> Iterator[Any]:
        return carry_on(self, StopAfter(2))

    whole = json.loads(cli("train", config, "--name", "whole", "--quiet", "--json").out)
    with monkeypatch.context() as patch:
        patch.setattr(training.Training, "carry_on", interrupted)
        said = cli("train", config, "--name", "cut")
    assert said.code == 143
    assert said.out == ""
    assert said.err.splitlines()[-1] == "resume: dnnlab resume runs/cut"
    said = cli("resume", "--json")
    assert said.code == 0
    assert "runs/cut: going on at update " in said.err
    assert json.loads(said.out)["metrics"] == whole["metrics"]
    said = cli("resume", "cut")
    assert said.code == 4
    assert "is finished" in said.err


def test_resume_without_a_run(cli: Cli) -> None:
    said = cli("resume")
    assert said.code == 4
    assert said.err == "error: there is no run in runs\nsee: dnnlab train configs/digits.yaml\n"


def test_a_dry_run_checks_the_name_too(cli: Cli, config: str) -> None:
    assert cli("train", config, "--dry-run", "--name", "a b/c").code == 2
    assert cli("train", config, "--name", "mine", "--quiet").code == 0
    assert cli("train", config, "--dry-run", "--name", "mine").code == 4


def test_brackets_in_a_path_are_brackets(cli: Cli, config: str) -> None:
    said = cli("train", config, "--runs", "r[/x]")
    assert said.code == 0
    assert "run: r[/x]/tiny-digits-0001" in said.out
    assert "run: r[/x]/tiny-digits-0001" in said.err


TABLE = """
data: {name: csv, path: t.csv, target: y, task: regression}
architecture: {name: mlp, hidden: [4]}
optimizer: sgd
training: {epochs: {updates: 4}, batch_size: 16, threads: 1}
"""


def test_what_is_worth_telling_of_the_data_is_told(cli: Cli, tmp_path: Path) -> None:
    rows = "".join(f"5,{i * i % 97},{i % 7}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}")
    (tmp_path / "table.yaml").write_text(TABLE)
    said = cli("train", "table.yaml", "--name", "mine")
    assert said.code == 0
    (found,) = read_json(Path("runs/mine/data.json"))["findings"]
    assert found.startswith("all 43 training examples have one and the same value in 'a': ")
    assert said.err.count(f"note: {found}\n") == 1
    said = cli("train", "table.yaml", "--dry-run", "--json")
    assert json.loads(said.out)["findings"] == [found]
    assert said.err == f"note: {found}\n"
    assert cli("train", "table.yaml", "--quiet").err == ""
    assert cli("train", "table.yaml", "--quiet", "--dry-run", "--json").err == ""


def interrupting(function: Any, times: int = 1) -> Any:
    """Returns the function with a Ctrl-C at the beginning of its first calls."""
    left = iter(range(times))

    def interrupted(*words: Any, **options: Any) -> Any:
        if next(left, None) is not None:
            os.kill(os.getpid(), signal.SIGINT)
        return function(*words, **options)

    return interrupted


@pytest.mark.parametrize("moment", ["runs.folder._git", "runs.checkpoints.save"])
def test_ctrl_c_once_there_is_a_folder_is_saved(
    moment: str, cli: Cli, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the folder is made, before the first update; and while a checkpoint is saved."""
    module, _, name = f"dnnlab.{moment}".rpartition(".")
    function = getattr(import_module(module), name)
    monkeypatch.setattr(f"dnnlab.{moment}", interrupting(function))
    said = cli("train", config, "--name", "cut")
    assert (said.code, said.out) == (130, "")
    assert "finishing this update and saving" not in said.err  # that goes past Python's streams
    assert said.err.splitlines()[-1] == "resume: dnnlab resume runs/cut"
    assert read_json(Path("runs/cut/status.json"))["state"] == "interrupted"
    assert cli("resume", "cut").code == 0


def test_ctrl_c_while_the_result_is_measured_changes_nothing(
    cli: Cli, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = import_module("dnnlab.training.evaluation").evaluate
    monkeypatch.setattr(training, "evaluate", interrupting(measure))
    said = cli("train", config, "--name", "done")
    assert said.code == 0
    assert said.out.splitlines()[-1] == "run: runs/done"
    assert read_json(Path("runs/done/status.json"))["state"] == "finished"


TWICE = """
import os, signal, sys
from dnnlab.runs import checkpoints
save = checkpoints.save

def stopped_at_once(folder, state, *rest, **options):
    if state.step > 4:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    return save(folder, state, *rest, **options)

checkpoints.save = stopped_at_once
from dnnlab.cli.main import main
sys.argv = ["dnnlab", "train", "tiny.yaml", "--name", "x"]
sys.argv += ["--set", "training.checkpoint_every={updates: 4}"]
main()
"""


def test_the_second_signal_names_what_was_saved(config: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWICE], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (143, "")
    assert done.stderr.splitlines()[-1] == (
        "stopped at once. the checkpoint of update 4 is whole. resume: dnnlab resume runs/x"
    )
    assert steps(tmp_path / "runs" / "x" / "checkpoints") == [4]
