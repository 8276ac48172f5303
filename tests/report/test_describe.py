from __future__ import annotations

import pytest

from dnnlab.choices import FAMILIES, members
from dnnlab.choices.optimizers.adaptive import Nadam
from dnnlab.errors import ConfigError
from dnnlab.experiment import Experiment, Training
from dnnlab.report.describe import (
    details,
    details_json,
    family_json,
    family_lines,
    find,
    groups,
    headline,
    menu,
    menu_json,
    reference,
    settings,
)
from dnnlab.spec import Spec


def test_words_name_a_family_a_choice_or_a_group() -> None:
    assert find(["optimizer"]) == "optimizer"
    assert find(["optimizer", "nadam"]) is Nadam
    assert find(["nadam"]) is Nadam
    assert find(["training"]) is Training


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizr"], "nothing is called 'optimizr'; did you mean 'optimizer'?"),
        (["optimizer", "adan"], "no optimizer is called 'adan'; did you mean 'adam'?"),
        (["nadan"], "nothing is called 'nadan'; did you mean 'nadam'?"),
    ],
)
def test_a_typo_gets_the_nearest_word(words: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(words)
    assert caught.value.message == message


def test_a_word_like_none_gets_the_list() -> None:
    with pytest.raises(ConfigError, match="there are data, architecture, .*, training"):
        find(["qqqqqq"])
    with pytest.raises(ConfigError, match="there are sgd, adagrad"):
        find(["optimizer", "qqqqqq"])


def test_settings_say_kind_bounds_default_and_meaning() -> None:
    by_name = {setting.name: setting for setting in settings(Nadam)}
    assert "name" not in by_name
    beta = by_name["beta1"]
    assert (beta.kind, beta.default) == ("number >= 0 and < 1", "0.9")
    assert beta.meaning == "Decay of the mean of gradients: the momentum."
    assert list(beta.lines()) == [
        "  beta1: number >= 0 and < 1  (default 0.9)",
        "      Decay of the mean of gradients: the momentum.",
    ]
    training = {setting.name: setting for setting in settings(Training)}
    assert training["epochs"].default == "10 epochs"
    assert training["threads"].kind == "whole number >= 1 and <= 1024 | auto"
    assert training["precision"].kind == "float32 | bfloat16 | float16 | float64"
    whole = {setting.name: setting for setting in settings(Experiment)}
    assert whole["data"].default is None
    assert whole["optimizer"].default == "sgd"
    assert whole["training"].default == "as listed below"


def test_groups_inside_groups_are_described() -> None:
    text = "\n".join(details(Training))
    assert "divergence: What happens when a loss, gradient" in text
    assert "divergence.rollback: Goes back to the newest checkpoint" in text
    assert "  lr_factor: number > 0 and < 1  (default 0.5)" in text
    assert {"divergence", "divergence.rollback"} <= details_json(Training)["inside"].keys()


EVERYTHING: list[type[Spec]] = [
    *(choice for family in FAMILIES for choice in members(family).values()),
    *groups().values(),
]


@pytest.mark.parametrize("spec", EVERYTHING, ids=lambda spec: spec.__name__)
def test_everything_can_be_described(spec: type[Spec]) -> None:
    text = "\n".join(details(spec))
    assert headline(spec) in " ".join(text.split())
    for setting in settings(spec):
        assert setting.meaning, f"{spec.__name__}.{setting.name} has no meaning under it"
        assert f"  {setting.name}: {setting.kind}" in text
    assert details_json(spec)["settings"] == [setting.__dict__ for setting in settings(spec)]


def test_the_menu_has_every_choice() -> None:
    lines = list(menu())
    for family in FAMILIES:
        at = lines.index(f"{family}:")
        listed = list(family_lines(family))
        assert lines[at + 1 : at + 1 + len(listed)] == listed
        assert [line.split()[0] for line in listed] == list(members(family))
    assert menu_json()["families"].keys() == FAMILIES.keys()
    assert family_json("loss")["choices"].keys() == members("loss").keys()


def test_the_reference_has_every_choice_and_setting() -> None:
    text = "\n".join(reference())
    for family in FAMILIES:
        for name in members(family):
            assert f"\n## {family}: {name}\n" in text
    for spec in EVERYTHING:
        for setting in settings(spec):
            assert setting.meaning in text


def test_a_choices_own_settings_come_before_those_of_its_family() -> None:
    names = [setting.name for setting in settings(members("architecture")["mlp"])]
    assert names == ["hidden", "use_bias", "output"]
