from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from dnnlab.choices.datasets import Examples, Holdout
from dnnlab.choices.datasets.bundled import Diabetes, Digits
from dnnlab.choices.datasets.images import FashionMnist
from dnnlab.errors import DataError
from tests.support import DIGITS, experiment_of, refusal_of


def examples(count: int = 100) -> Examples:
    return Examples(np.arange(count, dtype="float32")[:, None], np.arange(count))


def test_the_first_n_are_held_out_in_their_order() -> None:
    rest, held = Holdout(first=30).divide(examples(), "validation")
    assert held.targets.tolist() == list(range(30))
    assert rest.targets.tolist() == list(range(30, 100))


@pytest.mark.parametrize("holdout", [Holdout(random=25), Holdout(fraction=0.25)])
def test_a_random_part_is_held_out_and_no_example_twice(holdout: Holdout) -> None:
    rest, held = holdout.divide(examples(), "validation")
    assert len(held) == 25
    assert sorted([*rest.targets, *held.targets]) == list(range(100))
    assert held.targets.tolist() != list(range(25))
    assert (held.inputs[:, 0] == held.targets).all()


def test_the_draw_depends_on_its_seed_and_purpose_alone() -> None:
    def drawn(purpose: str, seed: int) -> list[int]:
        held = Holdout(random=10, seed=seed).divide(examples(), purpose)[1]
        return list(held.targets)

    assert drawn("test", 0) == drawn("test", 0)
    assert drawn("test", 0) != drawn("test", 1)
    assert drawn("test", 0) != drawn("validation", 0)


@pytest.mark.parametrize(
    "holdout", [Holdout(first=100), Holdout(random=101), Holdout(fraction=1e-9)]
)
def test_neither_side_may_be_empty(holdout: Holdout) -> None:
    with pytest.raises(DataError, match=r"validation cannot hold out \d+ of 100 examples"):
        holdout.divide(examples(), "validation")


def of_classes(*sizes: int) -> Examples:
    """Examples of classes 0, 1, ... of these sizes, shuffled; each input is its own number."""
    targets = np.repeat(np.arange(len(sizes)), sizes)
    np.random.default_rng(1).shuffle(targets)
    return Examples(np.arange(len(targets), dtype="float32")[:, None], targets)


@pytest.mark.parametrize("holdout", [{"random": 40}, {"fraction": 0.2}])
def test_stratified_takes_the_same_share_of_each_class(holdout: dict[str, Any]) -> None:
    """A fifth of 100, 60 and 40 is 20, 12 and 8."""
    examples = of_classes(100, 60, 40)
    rest, held = Holdout(stratified=True, **holdout).divide(examples, "test")
    assert np.bincount(held.targets).tolist() == [20, 12, 8]
    assert np.bincount(rest.targets).tolist() == [80, 48, 32]
    assert sorted([*rest.inputs[:, 0], *held.inputs[:, 0]]) == list(range(200))
    assert (np.diff(held.inputs[:, 0]) > 0).all()


def test_stratified_shares_that_are_no_whole_numbers() -> None:
    """10 of (7, 7, 6) are 3.5, 3.5 and 3: the sum stays 10, no share is off by 1."""
    held = Holdout(random=10, stratified=True).divide(of_classes(7, 7, 6), "test")[1]
    assert np.bincount(held.targets).tolist() == [4, 3, 3]
    # 3 of (8, 1, 1) are 2.4, 0.3 and 0.3: the largest remainder is that of the first class.
    held = Holdout(random=3, stratified=True).divide(of_classes(8, 1, 1), "test")[1]
    assert np.bincount(held.targets).tolist() == [3]


def test_stratified_draws_at_random() -> None:
    drawn = [
        Holdout(random=20, stratified=True, seed=seed).divide(of_classes(60, 40), "test")[1]
        for seed in (0, 0, 1)
    ]
    assert (drawn[0].inputs == drawn[1].inputs).all()
    assert (drawn[0].inputs != drawn[2].inputs).any()


def test_the_first_cannot_be_stratified() -> None:
    with pytest.raises(ValidationError, match="stratified goes with random or fraction"):
        Holdout(first=10, stratified=True)


def test_keeping_some() -> None:
    assert Holdout(first=3).keep(examples(), "train_size").targets.tolist() == [0, 1, 2]
    assert len(Holdout(random=100).keep(examples(), "train_size")) == 100
    kept = Holdout(fraction=0.3).keep(examples(), "train_size").targets
    assert len(kept) == len(set(kept)) == 30
    with pytest.raises(DataError, match="train_size cannot keep 101 of 100 examples"):
        Holdout(random=101).keep(examples(), "train_size")


def refusal(line: str, data: str = "digits") -> str:
    (sentence,) = refusal_of(DIGITS.replace("data: digits", f"data: {{name: {data}, {line}}}"))
    return sentence


def test_classes_belong_to_a_classification() -> None:
    text = "is for classification, but data are for regression"
    assert refusal("classes: [1, 2]", "diabetes").endswith(f"data.classes: {text}")
    assert refusal("positive: 1", "diabetes").endswith(f"data.positive: {text}")
    for where in ("validation", "test", "train_size"):
        line = f"{where}: {{fraction: 0.2, stratified: true}}"
        assert refusal(line, "diabetes").endswith(f"data.{where}.stratified: {text}")
    assert Diabetes(train_size=Holdout(random=10)).train_size is not None


def test_classes_that_make_no_sense() -> None:
    assert "classes: give two or more" in refusal("classes: [1]")
    assert "classes: one of them is named twice" in refusal("classes: [1, 2, 1]")
    assert "data.classes[1]: 2.5 is not text" in refusal("classes: [1, 2.5]")
    assert "data.train_size: 0.5 is not a whole number" in refusal("train_size: 0.5")


def test_the_shape_follows_the_classes() -> None:
    def outputs(**settings: Any) -> int:
        shape = FashionMnist.model_validate(settings).shape()
        assert shape is not None
        assert shape.input_shape == (28, 28)
        return shape.num_outputs

    assert outputs() == 10
    assert outputs(classes=[5, 6, "Bag"]) == 3
    assert outputs(positive="Shirt") == outputs(classes=[5, 6, 7], positive=6) == 2


def test_two_classes_can_have_one_output() -> None:
    text = DIGITS + "loss: binary_cross_entropy\n"
    assert "but the data have 10" in refusal_of(text)[0]
    experiment_of(text.replace("data: digits", "data: {name: digits, positive: 3}"))
    experiment_of(text.replace("data: digits", "data: {name: digits, classes: [4, 9]}"))


def test_classes_are_found_by_what_they_are_called() -> None:
    names = ("cat", "dog", "cow")
    chosen = Digits(classes=("cow", "0"), positive="2").relabelling(names)
    assert chosen is not None
    assert chosen.new.tolist() == [0, -1, 1]
    assert chosen.names == ("not cow", "cow")
    assert Digits().relabelling(names) is None
    with pytest.raises(DataError, match="data.positive: 'dog' is not among data.classes"):
        Digits(classes=("cow", "cat"), positive="dog").relabelling(names)


def test_examples_know_their_places() -> None:
    rest, held = Holdout(random=25).divide(examples(), "validation")
    assert [held.name_of(row) for row in range(25)] == [f"example {i}" for i in held.targets]
    again = rest.take(np.array([7, 3]))
    assert again.name_of(1) == f"example {rest.targets[3]}"
    lines = Examples(examples(4).inputs, np.arange(4), np.array([2, 3, 5, 8]), "line {}")
    assert lines.take(np.array([3, 0])).name_of(0) == "line 8"
    assert examples().name_of(12) == "example 12"
