from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dnnlab.config.schema import FILE_NAME, HEADER, json_schema
from dnnlab.config.yaml12 import parse

CONFIGS = Path(__file__).parents[2] / "configs"
START = "data: digits\narchitecture: {name: mlp, hidden: [10]}\n"


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def refused(validator: Any, text: str) -> bool:
    return not validator.is_valid(parse(text.encode(), subject="x").data)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_configs_are_valid_and_point_to_the_schema(validator: Any, path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not refused(validator, text)
    assert text.splitlines()[0] == HEADER


@pytest.mark.parametrize(
    "line",
    [
        "",
        "optimizer: sgd",
        "optimizer: {name: nadam, beta1: 0.8}",
        "regularization: {dropout: 0.2}",
        "regularization: {dropout: {rate: 0.2, where: {top: 2}}}",
        "training: {epochs: 3, threads: auto, evaluate_every: {updates: 5}}",
        "gradient_clipping: null",
        "pretraining: rbm",
        "pretraining: null",
        "metrics: [accuracy]",
    ],
)
def test_what_dnnlab_accepts_the_schema_accepts(validator: Any, line: str) -> None:
    assert not refused(validator, START + line)


def test_a_layers_own_choice_may_be_its_name_alone(validator: Any) -> None:
    own = START.replace("[10]", "[{units: 10, activation: %s, normalization: null}]")
    assert not refused(validator, own % "selu")
    assert refused(validator, own % "silu")


@pytest.mark.parametrize(
    "line",
    [
        "optimzer: sgd",
        "optimizer: sdg",
        "optimizer: {name: sgd, beta1: 0.8}",
        "optimizer: {name: sgd, lr: 0}",
        "optimizer: {name: sgd, lr: fast}",
        "training: {epochs: 0}",
        "training: {threads: many}",
        "activation: [relu]",
        "regularization: {dropout: 1}",
    ],
)
def test_what_dnnlab_refuses_the_schema_refuses(validator: Any, line: str) -> None:
    assert refused(validator, START + line)


def test_every_setting_is_explained() -> None:
    schema = json_schema()
    for name, definition in {**schema["definitions"], "dnnlab": schema}.items():
        assert definition["description"], name
        for key, setting in definition["properties"].items():
            assert key == "name" or setting.get("description"), f"{name}.{key}"


def test_the_shipped_schema_is_todays() -> None:
    shipped = json.loads((CONFIGS / FILE_NAME).read_text(encoding="utf-8"))
    assert shipped == json_schema(), "make docs"


def test_references_are_all_there() -> None:
    text = json.dumps(json_schema())
    names = {part.split('"')[0] for part in text.split("#/definitions/")[1:]}
    assert names <= set(json_schema()["definitions"])
    assert "$defs" not in text


@pytest.mark.parametrize(
    ("settings", "right"),
    [
        ("classes: [Coat, 5, true]", True),
        ("positive: 3", True),
        ("classes: [1.5, 2]", False),
        ("train_size: 200", True),
        ("train_size: {fraction: 0.5, stratified: true}", True),
        ("augmentation: {shift: 2, flip: true}", True),
        ("augmentation: {shift: -1}", False),
    ],
)
def test_the_settings_of_all_data(validator: Any, settings: str, right: bool) -> None:
    text = START.replace("data: digits", f"data: {{name: digits, {settings}}}")
    assert refused(validator, text) is not right
