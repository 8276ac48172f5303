from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from dnnlab.methods import doctor
from dnnlab.methods.doctor import Check
from tests.cli.conftest import Cli
from tests.support import DIGITS, needs_fashion_mnist


@pytest.mark.parametrize("kind", ["default", "self-normalizing"])
def test_init_writes_a_config_that_checks(kind: str, cli: Cli) -> None:
    said = cli("init", "mine.yaml", "--kind", kind)
    assert said.code == 0
    assert said.err == "next: dnnlab check mine.yaml && dnnlab train mine.yaml\n"
    assert Path("dnnlab.schema.json").is_file()
    assert cli("check", "mine.yaml").out == "mine.yaml: no mistakes\n"


@needs_fashion_mnist
def test_init_writes_a_config_that_trains(cli: Cli) -> None:
    assert json.loads(cli("init", "--json").out)["config"] == "experiment.yaml"
    short = ["--set", "training.epochs={updates: 3}"]
    said = cli("train", "experiment.yaml", "--quiet", "--json", *short)
    assert said.code == 0
    assert json.loads(said.out)["updates"] == 3


def test_init_leaves_what_is_there(cli: Cli) -> None:
    Path("mine.yaml").write_text("mine")
    said = cli("init", "mine.yaml")
    assert said.code == 2
    assert "mine.yaml exists; it is left as it is" in said.err
    assert Path("mine.yaml").read_text() == "mine"
    assert cli("init", "mine.txt").code == 2
    assert cli("init", "other.yaml", "--kind", "defualt").code == 2
    assert not Path("other.yaml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["init", "no/such.yaml"], "init no/such.yaml: there is no folder no"),
        (["init", "x" * 300 + ".yaml"], "init: a name of 305 bytes is too long"),
        (["init", "folder.yaml"], "init folder.yaml: that is a folder"),
        (["init", "dangling.yaml"], "dangling.yaml exists; it is left as it is"),
        (["schema", "--out", "no/such.json"], "--out no/such.json: there is no folder no"),
        (["schema", "--out", "."], "--out .: that is a folder"),
    ],
)
def test_where_nothing_can_be_written(words: list[str], said: str, cli: Cli) -> None:
    Path("folder.yaml").mkdir()
    Path("dangling.yaml").symlink_to("nowhere")
    before = sorted(Path().iterdir())
    answer = cli(*words)
    assert (answer.code, answer.out, answer.err) == (2, "", f"error: {said}\n")
    assert sorted(Path().iterdir()) == before


def test_check(cli: Cli) -> None:
    Path("a.yaml").write_text(DIGITS + "initializer: he_normal\nactivation: selu\n")
    said = cli("check", "a.yaml")
    assert said.code == 0
    assert said.out.splitlines()[0].startswith(
        "warning: 5:14 initializer: selu normalizes itself with"
    )
    assert said.out.splitlines()[-1] == "a.yaml: no mistakes, 1 warning"
    found = json.loads(cli("check", "a.yaml", "--json").out)
    assert found["ok"] is True
    assert found["warnings"][0]["place"] == "5:14"
    assert cli("check", "a.yaml", "--set", "activation=relu").out == "a.yaml: no mistakes\n"
    assert cli("check", "a.yaml", "--set", "activation=rel").code == 2


def test_describe(cli: Cli) -> None:
    said = cli("describe")
    assert said.out.startswith("data:\n")
    assert said.err == "next: dnnlab describe optimizer nadam\n"
    assert cli("describe", "optimizer").out.startswith("  sgd ")
    assert cli("describe", "optimizer", "sgd").out.startswith("Stochastic gradient descent")
    assert cli("describe", "--all").out.startswith("# Reference")
    assert cli("describe", "optimizr").code == 2
    assert cli("describe", "optimizer", "nadam", "bogus").code == 2
    assert cli("describe", "training", "bogus").code == 2
    assert cli("describe", "--all", "--json").code == 2


def test_describe_draws_a_schedule(cli: Cli) -> None:
    said = cli("describe", "schedule", "one_cycle", "--plot")
    assert said.code == 0
    assert said.out.startswith("Up to the highest rate")
    assert "\no share of the highest rate\n" in said.out
    assert "\no momentum\n" in said.out
    assert cli("describe", "cosine", "--plot").code == 0
    for words in ([], ["schedule"], ["optimizer", "sgd"], ["training"], ["--all"]):
        said = cli("describe", *words, "--plot")
        assert (said.code, said.out) == (2, "")
        assert "--plot draws a schedule: name one" in said.err


def test_check_draws_the_rates_of_a_config(cli: Cli) -> None:
    Path("a.yaml").write_text(DIGITS + "schedule: linear\n")
    said = cli("check", "a.yaml", "--plot")
    assert said.code == 0
    assert said.out.startswith("a.yaml: no mistakes\n\nas if an epoch had 1,000 updates")
    assert said.out.rstrip().endswith("update 12")
    assert "|" not in cli("check", "a.yaml").out
    assert cli("check", "a.yaml", "--plot", "--set", "optimizer.lr=-1").code == 2


@pytest.mark.parametrize("words", [["check", "a.yaml"], ["describe", "schedule", "cosine"]])
def test_a_picture_is_not_json(words: list[str], cli: Cli) -> None:
    Path("a.yaml").write_text(DIGITS)
    said = cli(*words, "--plot", "--json")
    assert (said.code, said.out) == (2, "")
    assert "--plot draws a picture; it does not go with --json" in said.err


@pytest.mark.parametrize(
    ("words", "key"), [([], "families"), (["loss"], "choices"), (["loss", "mse"], "settings")]
)
def test_describe_as_json(words: list[str], key: str, cli: Cli) -> None:
    found = json.loads(cli("describe", *words, "--json").out)
    assert found["schema"] == 1
    assert key in found


def test_schema(cli: Cli) -> None:
    printed = json.loads(cli("schema").out)
    jsonschema.Draft7Validator.check_schema(printed)
    said = cli("schema", "--out", "s.json")
    assert said.out.startswith("s.json: begin a config with '# yaml-language-server: $schema=")
    assert json.loads(Path("s.json").read_text()) == printed


def test_doctor(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    said = cli("doctor")
    assert said.code == 0
    assert said.out.startswith("ok      packages ")
    assert json.loads(cli("doctor", "--json").out)["ok"] is True
    monkeypatch.setattr(doctor, "examine", lambda _: [Check("disk", "problem", "full")])
    said = cli("doctor")
    assert (said.code, said.out) == (6, "problem disk  full\n")
