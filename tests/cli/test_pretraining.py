from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from dnnlab.runs.records import read_json
from tests.cli.conftest import Cli
from tests.support import DIGITS

RANGED = DIGITS.replace("data: digits", "data: {name: digits, standardize: range}")


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "tiny.yaml").write_text(RANGED)
    return "tiny.yaml"


def by(way: str) -> tuple[str, str]:
    return ("--set", f"pretraining={way}")


def test_it_trains_as_train_does_and_says_what_the_layers_are_for(cli: Cli, config: str) -> None:
    said = cli("pretrain", config, *by("autoencoder"), "--seed", "3", "--name", "mine")
    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["split", "loss", "mae", "rmse"]
    assert said.out.splitlines()[-1] == "run: runs/mine"
    assert said.err.splitlines()[-1] == "next: dnnlab transfer --from mine --to CONFIG"
    other = cli("train", config, *by("autoencoder"), "--seed", "3", "--name", "other", "--json")
    metrics = read_json(Path("runs/mine/result.json"))["metrics"]
    assert json.loads(other.out)["metrics"] == metrics
    said = cli("pretrain", config, *by("rotation"), "--runs", "there", "--json", "--quiet")
    assert said.err == ""
    assert json.loads(said.out) == read_json(Path("there/tiny-digits-0001/result.json"))


def test_a_config_without_pretraining_is_refused_in_two_lines(cli: Cli, config: str) -> None:
    said = cli("pretrain", config)
    assert (said.code, said.out) == (2, "")
    assert said.err.splitlines() == [
        "error: tiny.yaml is no pretraining: it has no `pretraining`",
        "remedy: add pretraining: autoencoder, or dnnlab train tiny.yaml",
    ]
    assert not Path("runs").exists()
    assert cli("pretrain", "no.yaml").code == 2


def test_a_dry_run_writes_nothing(cli: Cli, config: str) -> None:
    said = cli("pretrain", config, *by("masked"), "--dry-run")
    assert said.code == 0
    assert said.err.splitlines()[-1] == "nothing was written. next: dnnlab pretrain tiny.yaml"
    about = json.loads(cli("pretrain", config, *by("pairs"), "--dry-run", "--json").out)
    assert about["updates"] == 12
    assert not Path("runs").exists()


def test_classes_are_those_of_the_lesson(cli: Cli, config: str) -> None:
    said = cli("pretrain", config, *by("rotation"), "--set", "metrics=[accuracy, confusion]")
    assert said.code == 0
    assert "270" in said.out
    said = cli("evaluate")
    assert said.err.splitlines()[-1] == "next: dnnlab transfer --from tiny-digits-0001 --to CONFIG"
    assert "270" in said.out
    said = cli("predict", "--out", "-")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert list(rows[0]) == ["example", "prediction", "p(0)", "p(90)", "p(180)", "p(270)"]
    assert len(rows) == 359


@pytest.mark.parametrize("way", ["autoencoder", "masked", "rbm"])
def test_what_gives_inputs_back_predicts_them(way: str, cli: Cli, config: str) -> None:
    more = ("--set", "activation=sigmoid")
    assert cli("pretrain", config, *by(way), *more, "--quiet").code == 0
    rows = list(csv.reader(io.StringIO(cli("predict", "--out", "-").out)))
    assert len(rows) == 1 + 359
    assert len(rows[0]) == 1 + 64


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ("gan", "gan tells examples from made ones, and says nothing else of them"),
        ("pairs", "pairs compares two examples, and says nothing of one"),
    ],
)
def test_what_has_no_answers_says_why(way: str, why: str, cli: Cli, config: str) -> None:
    assert cli("pretrain", config, *by(way), "--name", "mine", "--quiet").code == 0
    for words in ((), ("--data", "x.npz")):
        said = cli("predict", "mine", *words)
        assert (said.code, said.out) == (2, "")
        assert said.err.splitlines() == [
            f"error: runs/mine: {why}",
            "see: dnnlab transfer --from runs/mine --to CONFIG",
        ]
    assert cli("evaluate", "mine", "--split", "validation").code == 0


def test_a_summary_has_every_layer(cli: Cli, config: str) -> None:
    for way, names in (
        ("pairs", ["flatten", "dense1", "relu1", "output"]),
        ("{name: autoencoder, tied: true}", ["flatten", "dense1", "relu1", "output"]),
        (
            "gan",
            ["flatten", "dense1", "relu1", "output", "generator.dense1", "generator.relu1",
             "generator.output"],
        ),
    ):  # fmt: skip
        found = json.loads(cli("summary", config, *by(way), "--json").out)
        assert [layer["name"] for layer in found["layers"]] == names
        counted = sum(layer["parameters"] for layer in found["layers"])
        assert counted == found["parameters"]["total"]
