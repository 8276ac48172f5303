from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dnnlab.config.read import read
from dnnlab.config.write import to_yaml
from dnnlab.errors import ConfigError
from tests.support import DIGITS, experiment_of

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_is_written_reads_back_as_the_same_experiment(path: Path, tmp_path: Path) -> None:
    experiment = read(path).experiment
    written = tmp_path / "config.yaml"
    written.write_text(to_yaml(experiment), encoding="utf-8")
    assert read(written).experiment == experiment


def test_null_against_a_default_is_written() -> None:
    text = to_yaml(experiment_of(DIGITS.replace("digits", "{name: digits, validation: null}")))
    assert yaml.safe_load(text)["data"]["validation"] is None


def test_defaults_are_written_and_the_name_of_a_choice_comes_first() -> None:
    text = to_yaml(experiment_of(DIGITS))
    settings = yaml.safe_load(text)
    assert settings["optimizer"] == {
        "name": "sgd",
        "lr": 0.01,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
    }
    assert list(settings["data"])[0] == "name"
    assert settings["training"]["seed"] == 42


def test_yaml_11_readers_understand_it_too() -> None:
    text = to_yaml(experiment_of(DIGITS + "optimizer: {name: sgd, lr: 1e-5}\n"))
    assert yaml.safe_load(text)["optimizer"]["lr"] == 1e-5


def test_what_could_not_be_read_back_is_not_written() -> None:
    """A run keeps its settings with all defaults, and is gone on with from there."""
    layers = ", ".join(["{units: 1}"] * 1100)
    experiment = experiment_of(DIGITS.replace("[16]", f"[{layers}]"))
    with pytest.raises(ConfigError, match="the config with its defaults written out") as caught:
        to_yaml(experiment)
    (problem,) = caught.value.problems
    assert problem.message.startswith("over 5,000 keys and values")
