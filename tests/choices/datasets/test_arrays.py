from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnnlab.choices.datasets import Source
from dnnlab.choices.datasets.arrays import Npz
from dnnlab.errors import DataError
from dnnlab.training.data import prepare

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, size=(30, 6, 5), dtype=np.uint8)
LABELS = np.arange(30) % 3


def dataset(folder: Path, settings: dict[str, Any] | None = None, **arrays: Any) -> Npz:
    path = folder / "data.npz"
    np.savez(path, **arrays)
    return Npz.model_validate({"path": str(path), **(settings or {})})


def read(folder: Path, settings: dict[str, Any] | None = None, **arrays: Any) -> Source:
    return dataset(folder, settings, **arrays).read()


def refusal(folder: Path, settings: dict[str, Any] | None = None, **arrays: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, settings, **arrays)
    return f"{caught.value.message} | {caught.value.remedy}"


def test_the_names_of_keras_s_mnist(tmp_path: Path) -> None:
    source = read(
        tmp_path, x_train=IMAGES[:20], y_train=LABELS[:20], x_test=IMAGES[20:], y_test=LABELS[20:]
    )
    assert (source.train.inputs == IMAGES[:20]).all()
    assert source.train.inputs.dtype == np.uint8
    assert (source.test.targets == LABELS[20:]).all()
    assert source.class_names == ("0", "1", "2")


@pytest.mark.parametrize(("x", "y"), [("inputs", "targets"), ("x_train", "y_train")])
def test_a_test_split_is_held_out_where_there_is_none(tmp_path: Path, x: str, y: str) -> None:
    source = read(tmp_path, {"test": {"first": 6}}, **{x: IMAGES, y: LABELS})
    assert (source.test.inputs == IMAGES[:6]).all()
    assert (source.train.inputs == IMAGES[6:]).all()


def test_channels_come_first(tmp_path: Path) -> None:
    coloured = RANDOM.integers(0, 256, size=(30, 6, 5, 3), dtype=np.uint8)
    source = read(tmp_path, {"test": {"first": 10}}, inputs=coloured, targets=LABELS)
    assert source.train.inputs.shape == (20, 3, 6, 5)
    assert (source.test.inputs[4, 2] == coloured[4, :, :, 2]).all()
    assert (
        read(tmp_path, inputs=source.train.inputs, targets=LABELS[:20]).train.inputs.shape[1] == 3
    )
    grey = read(tmp_path, {"test": {"first": 10}}, inputs=IMAGES[..., None], targets=LABELS)
    assert (grey.train.inputs == IMAGES[10:]).all()


def test_channels_that_could_be_either_are_asked_for(tmp_path: Path) -> None:
    unclear = np.zeros((30, 3, 8, 4))
    assert "which axis are the channels? | data.channels" in refusal(
        tmp_path, inputs=unclear, targets=LABELS
    )
    source = read(tmp_path, {"channels": "last"}, inputs=unclear, targets=LABELS)
    assert source.train.inputs.shape[1:] == (4, 3, 8)
    neither = np.zeros((30, 8, 8, 7))
    assert "which axis" in refusal(tmp_path, inputs=neither, targets=LABELS)


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (np.array([-1, 1] * 15), ("-1", "1")),
        (np.array(["no", "yes", "maybe"] * 10), ("maybe", "no", "yes")),
        (np.array([True, False] * 15), ("False", "True")),
        (LABELS[:, None], ("0", "1", "2")),
    ],
)
def test_classes_are_the_distinct_targets(
    tmp_path: Path, targets: np.ndarray, names: tuple[str, ...]
) -> None:
    source = read(tmp_path, {"test": {"first": 9}}, inputs=IMAGES, targets=targets)
    assert source.class_names == names
    restored = [names[number] for number in source.test.targets]
    assert restored == [str(target) for target in targets[:9].ravel()]


def test_classes_can_be_named(tmp_path: Path) -> None:
    named: dict[str, Any] = {"class_names": np.array(["hat", "shoe", "sock"])}
    source = read(tmp_path, inputs=IMAGES, targets=LABELS, **named)
    assert source.class_names == ("hat", "shoe", "sock")
    with pytest.raises(
        DataError,
        match=r"data.npz: label 3 of inputs\[3\] of the train split is not one of the 3 classes, "
        r"0 to 2; other labels that are not: 26$",
    ):
        prepare(
            dataset(tmp_path, {"test": {"first": 3}}, inputs=IMAGES, targets=LABELS + 3, **named)
        )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            {"x_train": [(4, 1, 2), (4, 3, 3), (9, 0, 0)]},
            r"inputs of the train split are missing or not finite: 3 of 900, the first, nan, in "
            r"x_train\[4\] at \[1, 2\]$",
        ),
        (
            {"y_test": [(7,)]},
            r"targets of the test split are missing or not finite: 1 of 30, the first, nan, in "
            r"x_test\[7\]$",
        ),
    ],
)
def test_numbers_that_are_none_are_counted_and_the_first_is_found(
    tmp_path: Path, bad: dict[str, list[tuple[int, ...]]], message: str
) -> None:
    arrays = {"x_train": RANDOM.normal(size=(30, 6, 5)), "y_train": RANDOM.normal(size=30)}
    arrays |= {name.replace("train", "test"): array.copy() for name, array in arrays.items()}
    for name, places in bad.items():
        for place in places:
            arrays[name][place] = np.nan
    with pytest.raises(DataError, match="data.npz: " + message):
        prepare(dataset(tmp_path, {"task": "regression", "validation": None}, **arrays))


def test_an_example_keeps_its_place_whatever_is_drawn_and_chosen(tmp_path: Path) -> None:
    inputs = RANDOM.normal(size=(60, 4))
    inputs[41, 2] = np.inf
    chosen = dataset(
        tmp_path,
        {"test": {"random": 10, "seed": 3}, "validation": {"random": 9}, "classes": [2, 0]},
        inputs=inputs,
        targets=np.arange(60) % 3,
    )
    with pytest.raises(DataError, match=r"1 of \d+, the first, inf, in inputs\[41\], feature 2$"):
        prepare(chosen)


def test_a_regression(tmp_path: Path) -> None:
    inputs, targets = RANDOM.normal(size=(30, 4)), RANDOM.normal(size=30)
    arrays: dict[str, Any] = {"inputs": inputs, "targets": targets}
    assert "classes are whole numbers | data.task: regression" in refusal(tmp_path, **arrays)
    source = read(tmp_path, {"task": "regression", "test": {"first": 5}}, **arrays)
    assert (source.train.targets == targets[5:]).all()
    assert source.class_names == ()
    assert prepare(dataset(tmp_path, {"task": "regression"}, **arrays)).signature.num_outputs == 1


def test_whole_numbers_keep_their_digits(tmp_path: Path) -> None:
    """2^24 + 1 is the first whole number that float32 does not have."""
    inputs = np.full((30, 2), 2**24 + 1)
    assert read(tmp_path, inputs=inputs, targets=LABELS).train.inputs[0, 0] == 2**24 + 1


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"X": IMAGES, "y": LABELS}, "has no array `inputs` or `x_train`: X, y"),
        ({"inputs": IMAGES}, "has no array `targets`"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES}, "has no array `y_test`"),
        ({"inputs": IMAGES, "targets": LABELS[:9]}, "[30, 6, 5] and `targets` [9]"),
        ({"inputs": LABELS, "targets": LABELS}, "two to four axes"),
        ({"inputs": IMAGES[:0], "targets": LABELS[:0]}, "it is empty"),
        ({"inputs": IMAGES, "targets": np.eye(30)}, "argmax(axis=1)"),
        ({"inputs": IMAGES.astype(str), "targets": LABELS}, "`inputs` are <U3, not numbers"),
        ({"inputs": np.array([{}] * 30), "targets": LABELS}, "cannot be read"),
        ({"inputs": np.zeros((3000, 1)), "targets": np.arange(3000)}, "3000 classes in 3000"),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, 1:], "y_test": LABELS},
            "training and test inputs are [30, 6, 5] and [30, 5, 5]",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arrays: dict[str, Any], expected: str) -> None:
    assert expected in refusal(tmp_path, **arrays)


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(DataError, match="there is no file"):
        Npz(path=str(path)).read()
    np.savez_compressed(path, inputs=IMAGES, targets=LABELS)
    whole = path.read_bytes()
    broken = bytearray(whole)
    broken[100] ^= 255
    for content in (b"", b"no archive", whole[:-30], bytes(broken)):
        path.write_bytes(content)
        with pytest.raises(DataError, match="x.npz cannot be read"):
            Npz(path=str(path)).read()
    np.save(tmp_path / "x.npy", IMAGES)
    with pytest.raises(DataError, match="is a single array"):
        Npz(path=str(tmp_path / "x.npy")).read()
