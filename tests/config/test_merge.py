from __future__ import annotations

import time

import pytest

from dnnlab.config.merge import over, overrides
from dnnlab.config.yaml12 import Document, parse
from dnnlab.errors import ConfigError


def document(text: str, file: str = "") -> Document:
    return parse(text.encode(), subject="x.yaml", file=file)


def merged(base: str, upper: str) -> object:
    return over(document(base), document(upper)).data


def test_mappings_merge_key_by_key_and_lists_are_replaced() -> None:
    base = "training: {epochs: 5, seed: 1}\nmetrics: [accuracy]"
    assert merged(base, "training: {seed: 2}\nmetrics: []") == {
        "training": {"epochs": 5, "seed": 2},
        "metrics": [],
    }


@pytest.mark.parametrize(
    ("base", "upper", "expected"),
    [
        ("{name: sgd, lr: 1, momentum: .9}", "{name: nadam, lr: 2}", {"name": "nadam", "lr": 2}),
        ("{name: sgd, lr: 1}", "nadam", "nadam"),
        ("{name: sgd, lr: 1}", "{lr: 2}", {"name": "sgd", "lr": 2}),
        ("{name: sgd, lr: 1}", "{name: sgd, lr: 2}", {"name": "sgd", "lr": 2}),
        ("sgd", "{lr: 2}", {"name": "sgd", "lr": 2}),
        ("sgd", "{name: nadam, lr: 2}", {"name": "nadam", "lr": 2}),
        ("{name: sgd}", "null", None),
    ],
)
def test_choices_are_not_mixed(base: str, upper: str, expected: object) -> None:
    assert merged(f"o: {base}", f"o: {upper}") == {"o": expected}


def test_places_follow_the_values() -> None:
    base = document("optimizer: {name: sgd, lr: 1}\ndata: digits", file="base.yaml")
    result = over(base, document("optimizer:\n  lr: 2"))
    assert str(result.place_of(("optimizer", "lr"))) == "2:7"
    assert str(result.place_of(("optimizer", "name"))) == "base.yaml 1:19"
    assert str(result.place_of(("data",))) == "base.yaml 2:7"


def test_a_name_alone_that_gets_settings_keeps_its_place() -> None:
    result = over(document("o: sgd", file="base.yaml"), document("o:\n  lr: 2"))
    assert str(result.place_of(("o", "name"))) == "base.yaml 1:4"
    assert str(result.place_of(("o",))) == "2:3"


def test_the_base_is_left_as_it_was() -> None:
    base = document("training: {seed: 1}")
    over(base, document("training: {seed: 2}"))
    assert base.data == {"training": {"seed": 1}}


def test_options_become_a_document() -> None:
    found = overrides(["optimizer.lr=3e-4", "architecture.hidden=[300, 100]", "activation=selu"])
    assert found.data == {
        "optimizer": {"lr": 3e-4},
        "architecture": {"hidden": [300, 100]},
        "activation": "selu",
    }
    assert str(found.place_of(("optimizer", "lr"))) == "--set optimizer.lr"


def test_a_later_option_wins_over_an_earlier() -> None:
    found = overrides(["optimizer=nadam", "optimizer.lr=1e-3", "optimizer.lr=2e-3"])
    assert found.data == {"optimizer": {"name": "nadam", "lr": 2e-3}}


@pytest.mark.parametrize("option", ["lr", "=3", "a..b=1", "a b=1", "a.[0]=1", "__class__.x"])
def test_what_is_no_assignment_is_refused(option: str) -> None:
    with pytest.raises(ConfigError) as caught:
        overrides([option])
    assert "is not KEY=VALUE" in caught.value.problems[0].message


def test_a_key_may_not_be_endlessly_long() -> None:
    deep = "training" + ".a" * 5000
    with pytest.raises(ConfigError) as caught:
        overrides([f"{deep}=1", f"{deep}=2"])
    assert [each.message for each in caught.value.problems] == ["is nested deeper than 40"]
    assert overrides(["a" + ".a" * 39 + "=1"] * 2).data


def test_two_long_documents_are_laid_over_each_other_soon() -> None:
    base = document("".join(f"k{number}: {{a: 1}}\n" for number in range(1200)))
    upper = document("".join(f"k{number}: {{b: 2}}\n" for number in range(1200)))
    started = time.process_time()
    result = over(base, upper)
    assert time.process_time() - started < 0.5  # 0.02 where nothing else runs
    assert result.data["k7"] == {"a": 1, "b": 2}
    assert str(result.place_of(("k7", "a"))) == "8:9"


def test_what_is_replaced_takes_its_places_along() -> None:
    base = document("o: {a: {b: 1, c: 2}, d: 3}\n")
    result = over(base, document("o:\n  a: [7, 8]\n"))
    assert result.data == {"o": {"a": [7, 8], "d": 3}}
    assert {path: str(place) for path, place in result.values.items() if path} == {
        ("o",): "2:3",
        ("o", "a"): "2:6",
        ("o", "a", 0): "2:7",
        ("o", "a", 1): "2:10",
        ("o", "d"): "1:25",
    }
