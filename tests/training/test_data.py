from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from dnnlab.choices.datasets import Dataset, Examples, Holdout, Source
from dnnlab.choices.datasets.augmentation import Augmentation
from dnnlab.choices.datasets.bundled import BreastCancer, Diabetes, Digits, Wine
from dnnlab.choices.datasets.images import FashionMnist
from dnnlab.choices.datasets.table import Csv
from dnnlab.errors import DataError
from dnnlab.training.data import Scaling, prepare
from dnnlab.training.examination import Subject
from tests.support import needs_fashion_mnist


def test_inputs_are_standardized_by_the_training_split_alone() -> None:
    data = prepare(Digits())
    raw = Digits().read()
    rest, held = Digits().validation.divide(raw.train, "validation")  # type: ignore[union-attr]
    mean, sd = rest.inputs.mean(axis=0, dtype="float64"), rest.inputs.std(axis=0, dtype="float64")
    sd[sd == 0] = 1
    assert data.validation is not None
    for split, examples in ((data.train, rest), (data.validation, held), (data.test, raw.test)):
        expected = (examples.inputs - mean) / sd
        np.testing.assert_allclose(split.inputs.numpy(), expected, rtol=1e-4, atol=1e-5)
    assert data.train.inputs.mean().item() == pytest.approx(0, abs=1e-6)


def test_a_pixel_that_never_varies_becomes_zero() -> None:
    """The corner of a digit is 0 in every image of the training split."""
    assert not prepare(Digits()).train.inputs[:, 0, 0].any()


def test_range_and_none() -> None:
    ranged = prepare(Digits(standardize="range")).train.inputs
    assert (ranged.min().item(), ranged.max().item()) == (0, 1)
    assert prepare(Digits(standardize="none")).train.inputs.max() == 16


def test_without_a_validation_split() -> None:
    data = prepare(Digits(validation=None))
    assert data.validation is None
    assert list(data.splits()) == ["train", "test"]
    assert data.to_json()["sizes"] == {"train": 1438, "test": 359}


def test_regression_targets_are_standardized_and_can_be_undone() -> None:
    data = prepare(Diabetes())
    assert data.train.targets.shape == (len(data.train), 1)
    assert data.train.targets.mean().item() == pytest.approx(0, abs=1e-6)
    assert data.train.targets.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    undone = data.test.targets * data.scaling.target_scale + data.scaling.target_shift
    np.testing.assert_allclose(undone[:, 0], Diabetes().read().test.targets, rtol=1e-4)


def test_the_scaling_survives_json() -> None:
    scaling = prepare(Diabetes()).scaling
    back = Scaling.from_json(scaling.to_json())
    raw = Diabetes().read().test
    assert torch.equal(back.inputs(raw.inputs), scaling.inputs(raw.inputs))
    assert torch.equal(back.targets(raw.targets), scaling.targets(raw.targets))


class Gaps(Diabetes):
    """Diabetes with inputs of the test's own."""

    def read(self) -> Any:
        source = super().read()
        part = source.train if self.where == "train" else source.test
        inputs = part.inputs.copy()
        inputs[: self.holes, 2] = float(self.hole)
        changed = replace(part, inputs=inputs)
        source = replace(source, gaps=self.fill)
        if self.where == "train":
            return replace(source, train=changed)
        return replace(source, test=changed)

    holes: int = 5
    hole: str = "nan"
    fill: Literal["refuse", "mean"] = "mean"
    where: str = "train"


@pytest.mark.parametrize("where", ["train", "test"])
def test_missing_inputs_become_the_training_mean(where: str) -> None:
    """In every split, whether or not the training split has a gap itself."""
    data = prepare(Gaps(validation=None, where=where))
    filled = data.splits()[where].inputs
    assert not filled.isnan().any()
    # The mean of the column, standardized, is 0.
    assert filled[:5, 2].abs().max().item() < 1e-5


def test_inputs_that_cannot_be_scaled_are_refused() -> None:
    with pytest.raises(DataError, match="no value in the training split"):
        prepare(Gaps(validation=None, holes=400))
    source = Diabetes().read()
    for where, split in (("train", source.train), ("test", source.test)):
        size, first = f"{split.inputs.size:,}", split.places[0]  # type: ignore[index]
        for hole in ("inf", "nan"):
            words = (
                f"inputs of the {where} split are missing or not finite: 5 of {size}, the first, "
                f"{hole}, in example {first}, feature 2$"
            )
            with pytest.raises(DataError, match=words):
                prepare(Gaps(validation=None, hole=hole, fill="refuse", where=where))


def test_a_table_is_scaled_before_it_is_rounded(tmp_path: Path) -> None:
    """Seconds since 1970 differ in the digits that float32 has not."""
    rows = [f"{1_700_000_000 + i},{i % 7}" for i in range(60)]
    path = tmp_path / "t.csv"
    path.write_text("time,y\n" + "\n".join(rows) + "\n")
    chosen = {"path": str(path), "target": "y", "task": "regression", "validation": None}
    inputs = prepare(Csv.model_validate(chosen)).train.inputs[:, 0]
    assert inputs.std(correction=0).item() == pytest.approx(1, rel=1e-6)
    assert len(set(inputs.tolist())) == len(inputs)


def test_range_is_by_column_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "\n".join(f"{i},{1000 * i},{i}" for i in range(50)) + "\n")
    chosen = {"path": str(path), "target": "y", "task": "regression", "standardize": "range"}
    inputs = prepare(Csv.model_validate(chosen)).train.inputs
    assert inputs.amin(0).tolist() == [0, 0]
    assert inputs.amax(0).tolist() == [1, 1]


def test_the_fingerprint_is_that_of_the_examples_and_their_splits() -> None:
    first = prepare(Digits()).fingerprint
    assert first == prepare(Digits(standardize="none")).fingerprint
    assert first != prepare(Digits(validation=Holdout(first=100))).fingerprint
    assert first != prepare(Digits(test=Holdout(fraction=0.2, seed=1))).fingerprint


def test_moving_data_changes_floats_only() -> None:
    moved = prepare(Diabetes()).to(torch.device("cpu"), torch.float64)
    assert moved.train.inputs.dtype == moved.train.targets.dtype == torch.float64
    digits = prepare(Digits()).to(torch.device("cpu"), torch.float64)
    assert digits.train.targets.dtype == torch.int64


def sizes(dataset: Dataset) -> dict[str, int]:
    return {name: len(split) for name, split in prepare(dataset).splits().items()}


@needs_fashion_mnist
def test_the_chapter_s_tasks_a_and_b() -> None:
    """A: no sandals, no shirts. B: 200 images of these two, is it a shirt?"""
    kept = tuple(str(number) for number in range(10) if number not in (5, 6))
    data = prepare(FashionMnist(classes=kept, validation=Holdout(first=5000)))
    assert {name: len(split) for name, split in data.splits().items()} == {
        "train": 43_986,
        "validation": 4_014,
        "test": 8_000,
    }
    assert data.signature.num_outputs == 8
    # Labels above 6 move down by 2.
    assert data.class_names[5:] == ("Sneaker", "Bag", "Ankle boot")
    whole = FashionMnist().read().test.targets
    moved = whole[(whole != 5) & (whole != 6)]
    assert data.test.targets.tolist() == np.where(moved > 6, moved - 2, moved).tolist()
    b = FashionMnist(
        classes=("Sandal", "Shirt"),
        positive="Shirt",
        validation=Holdout(first=5000),
        train_size=Holdout(first=200),
    )
    assert sizes(b) == {"train": 200, "validation": 986, "test": 2000}
    assert prepare(b).class_names == ("not Shirt", "Shirt")


def test_classes_are_chosen_after_the_validation_split_is_taken() -> None:
    all_of_it = Digits(validation=Holdout(first=400), standardize="none")
    some = all_of_it.model_copy(update={"classes": ("7", "2")})
    one, other = prepare(all_of_it), prepare(some)
    for name, split in other.splits().items():
        whole = one.splits()[name]
        rows = (whole.targets == 7) | (whole.targets == 2)
        assert torch.equal(split.inputs, whole.inputs[rows])
        assert torch.equal(split.targets, (whole.targets[rows] == 2).long())
    assert other.class_names == ("7", "2")
    assert other.signature == some.shape()
    assert other.fingerprint != one.fingerprint


def test_one_class_against_the_others() -> None:
    one = prepare(Digits())
    other = prepare(Digits(positive="3"))
    assert torch.equal(one.train.inputs, other.train.inputs)
    assert torch.equal((one.train.targets == 3).long(), other.train.targets)
    assert other.class_names == ("not 3", "3")


def test_only_so_many_training_examples() -> None:
    whole = sizes(Digits())
    assert sizes(Digits(train_size=Holdout(random=200))) == whole | {"train": 200}
    first = prepare(Digits(train_size=Holdout(first=200), standardize="none"))
    everything = prepare(Digits(standardize="none"))
    assert torch.equal(first.train.inputs, everything.train.inputs[:200])
    stratified = Holdout(random=500, stratified=True)
    binary = prepare(BreastCancer(train_size=Holdout(fraction=0.5, stratified=True)))
    shares = [
        float(data.train.targets.double().mean()) for data in (prepare(BreastCancer()), binary)
    ]
    assert shares[0] == pytest.approx(shares[1], abs=1 / len(binary.train))
    counts = prepare(Digits(train_size=stratified)).train.targets.bincount()
    before = everything.train.targets.bincount()
    assert (counts - 500 * before / len(everything.train)).abs().max() < 1


def test_statistics_are_of_what_is_trained_on() -> None:
    """Not of the training examples that train_size or classes leave out."""
    chosen = Wine(classes=("class_0", "class_2"), train_size=Holdout(random=30))
    data = prepare(chosen)
    assert len(data.train) == 30
    assert data.train.inputs.mean(0).abs().max().item() < 1e-6
    np.testing.assert_allclose(data.train.inputs.std(0, correction=0), 1, rtol=1e-5)
    assert data.test.inputs.mean(0).abs().max().item() > 1e-3


class Arrays(Digits):
    """Arrays of the test's own, given after it is made."""

    model_config = {"frozen": False, "arbitrary_types_allowed": True}
    source: Any = None

    def read(self) -> Source:
        assert isinstance(self.source, Source)
        return self.source


def prepared(inputs: np.ndarray, targets: list[int], test: list[int], **settings: Any) -> Any:
    dataset = Arrays(validation=None, **settings)
    held = Examples(inputs[: len(test)], np.array(test))
    dataset.source = Source(Examples(inputs, np.array(targets)), held, class_names=("a", "b", "c"))
    return prepare(dataset)


@pytest.mark.parametrize("shape", [(3, 4, 5), (4, 5)])
def test_per_channel_is_over_all_pixels(shape: tuple[int, ...]) -> None:
    raw = np.random.default_rng(0).uniform(0, 255, size=(60, *shape))
    targets = [0, 1, 2] * 20
    data = prepared(raw, targets, targets, standardize="per_channel")
    # Each channel by itself, as plainly as one can: a mean and an sd of all its numbers.
    channels = [raw] if len(shape) == 2 else [raw[:, channel] for channel in range(shape[0])]
    expected = [(channel - channel.mean()) / channel.std() for channel in channels]
    stacked = expected[0] if len(shape) == 2 else np.stack(expected, axis=1)
    # One rounding to float32 of numbers below 2.
    np.testing.assert_allclose(data.train.inputs, stacked, rtol=0, atol=2e-7)
    back = Scaling.from_json(data.scaling.to_json())
    assert torch.equal(back.inputs(raw), data.train.inputs)


def test_per_channel_of_a_table_is_per_feature() -> None:
    one, other = prepare(Wine()), prepare(Wine(standardize="per_channel"))
    assert torch.equal(one.train.inputs, other.train.inputs)


ONES = np.ones((6, 2))


@pytest.mark.parametrize(
    ("targets", "test", "message"),
    [
        (
            [0, 1, 2, 0, 1, 3],
            [0, 1],
            "label 3 of example 5 of the train split is not one of the 3 classes, 0 to 2$",
        ),
        ([0, 1, 3, 0, 9, -3], [0, 1], "label 3 of example 2 .*; other labels that are not: 2$"),
        ([0, 1, 2, 0, 1, 2], [0, -1], "label -1 of example 1 of the test split"),
        ([0, 1, 0, 0, 1, 1], [0, 1], "no example of the training split is of the class 'c'"),
        ([1, 1, 1, 1, 1, 1], [0, 1], "all 6 examples of the train split are of the class 'b'"),
        ([0, 1, 2, 0, 1, 2], [2, 2], "all 2 examples of the test split are of the class 'c'"),
    ],
)
def test_classes_that_cannot_be_learned_or_tested(
    targets: list[int], test: list[int], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        prepared(ONES, targets, test)


def test_a_split_without_one_of_the_chosen_classes() -> None:
    with pytest.raises(DataError, match="no example of the test split is of one of the chosen"):
        prepared(ONES, [0, 1, 2, 0, 1, 2], [2, 2], classes=("a", "b"))


def test_augmentation_changes_the_images_as_they_were_read() -> None:
    """Black from outside is 0 in the units of the data, whatever the scaling of a pixel."""
    plain = prepare(Digits(standardize="none", validation=None))
    augmentation = Augmentation(shift=2, flip=True, cutout=3)
    expected = plain.augmenter(augmentation, 42)(plain.train.inputs[:300], 5)
    for way in ("per_feature", "per_channel", "range"):
        data = prepare(Digits(standardize=way, validation=None))
        changed = data.augmenter(augmentation, 42)(data.train.inputs[:300], 5)
        undone = changed * torch.from_numpy(data.scaling.scale) + torch.from_numpy(
            data.scaling.shift
        )
        # Two more roundings of numbers up to 16.
        np.testing.assert_allclose(undone, expected, rtol=0, atol=1e-5)
    assert not torch.equal(expected, plain.train.inputs[:300])


def test_a_constant_column_stays_constant_whatever_its_mean_rounds_to() -> None:
    """300 times 0.1 is not 30 in float64, so that its deviation is not exactly 0."""
    inputs = np.stack([np.arange(300.0), np.full(300, 0.1)], axis=1)
    data = prepared(inputs, [0, 1, 2] * 100, [0, 1, 2])
    assert float(data.train.inputs[:, 1].abs().max()) < 1e-6
    assert float(data.scaling.inputs(np.array([[0.0, 0.2]]))[0, 1]) == pytest.approx(0.1)


def test_what_is_found_is_kept_with_the_data() -> None:
    asked: list[Subject] = []

    def found(subject: Subject) -> tuple[str, ...]:
        asked.append(subject)
        return ("too good to be true",)

    data = prepare(Digits(), examine=found)
    assert data.to_json()["findings"] == ["too good to be true"]
    assert prepare(Digits()).to_json()["findings"] == []
    (subject,) = asked
    # As they were read: whole numbers, and not scaled.
    assert subject.train.inputs.max() == 16
    assert [len(subject.train), *map(len, subject.held_out().values())] == [1294, 144, 359]
    assert subject.fingerprint == data.fingerprint
    assert subject.learns_targets
    prepare(Digits(), examine=found, learns_targets=False)
    assert not asked[1].learns_targets


def test_a_constant_number_cannot_be_learned(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{i},0.1\n" for i in range(30)))
    with pytest.raises(DataError, match=r"every training example has the target 0\.1"):
        prepare(Csv(path=str(path), target="y", task="regression"))


def test_a_range_is_that_of_each_column_of_any_table() -> None:
    data = prepare(Wine(standardize="range"))
    torch.testing.assert_close(data.train.inputs.amax(0), torch.ones(13))
    torch.testing.assert_close(data.train.inputs.amin(0), torch.zeros(13))
