from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.choices.datasets import Dataset, Examples, Holdout
from dnnlab.choices.datasets.bundled import BreastCancer, Diabetes, Digits, Wine
from dnnlab.choices.datasets.image_folder import ImageFolder
from dnnlab.choices.datasets.images import FashionMnist
from dnnlab.choices.datasets.made import Circles, Moons, Spiral, Xor
from dnnlab.choices.datasets.table import Csv
from dnnlab.training import examination
from dnnlab.training.data import prepare
from dnnlab.training.examination import Subject, examine
from dnnlab.training.identical import numbered
from tests.support import needs_fashion_mnist

NAMES = ("cat", "dog", "owl")
NOBODY = "0" * 64


def noise(count: int, *shape: int) -> np.ndarray:
    """Returns inputs of which no two are alike."""
    return np.random.default_rng(0).normal(size=(count, *(shape or (3,))))


def subject(
    train: Examples,
    test: Examples,
    validation: Examples | None = None,
    *,
    names: tuple[str, ...] = NAMES,
    columns: tuple[dict[str, Any], ...] = (),
    learns_targets: bool = True,
) -> Subject:
    return Subject(train, validation, test, names, columns, learns_targets, NOBODY)


def classified(inputs: np.ndarray) -> Examples:
    """Returns examples of three classes in turn."""
    return Examples(inputs, np.arange(len(inputs)) % 3)


def of_table(folder: Path, rows: Sequence[object], **settings: object) -> tuple[str, ...]:
    """Returns what is told of a CSV file, whose first row is its header."""
    (folder / "t.csv").write_text("\n".join(map(str, rows)) + "\n")
    chosen = {"path": str(folder / "t.csv"), "target": "y", "task": "regression", **settings}
    return prepare(Csv.model_validate(chosen), examine=examine).findings


# --- known data ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dataset",
    [
        Digits(),
        Digits(positive="3"),
        Wine(),
        BreastCancer(),
        Diabetes(),
        Spiral(),
        Spiral(noise=0),
        Moons(),
        Circles(noise=0),
        Xor(),
    ],
    ids=lambda dataset: f"{dataset.name}{'' if dataset.positive is None else ', one class'}",
)
def test_of_the_bundled_and_made_data_nothing_is_told(dataset: Dataset) -> None:
    assert prepare(dataset, examine=examine).findings == ()


@needs_fashion_mnist
def test_of_fashion_mnist_nothing_is_told() -> None:
    """Its first release had ten copies of training images in the test; today's has none."""
    data = FashionMnist(validation=Holdout(first=5000))
    assert prepare(data, examine=examine).findings == ()


def test_data_are_examined_only_where_that_is_asked_for() -> None:
    copied = Digits(validation=None).read().train
    told = examine(subject(copied, copied, names=tuple("0123456789")))
    assert told != ()
    assert prepare(Digits()).findings == ()


# --- the same inputs more than once ----------------------------------------------------------

HAVE = r"(\d+) of the (\d+) (\w+) examples \(.*?\) have the same inputs as "


def copies(told: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """Returns for every split of which copies are told (copies, examples, with another target)."""
    found = {}
    for text in (each.replace(",", "") for each in told):
        if numbers := re.match(HAVE + r"a training example(?: (\d+) of them with anoth)?", text):
            count, total, split, other = numbers.groups(default="0")
            found[split] = (int(count), int(total), int(other))
        elif numbers := re.match(HAVE + "an earlier one", text):
            found["train"] = (int(numbers[1]), int(numbers[2]), 0)
        elif numbers := re.match(r"(\d+) of the (\d+) .* can be right in no net", text):
            found["wrong"] = (int(numbers[1]), int(numbers[2]), 0)
    return found


@st.composite
def small_splits(draw: st.DrawFn) -> list[Examples]:
    """Two or three splits of images of two pixels, each of them 0 or 1."""
    splits = []
    for _ in range(draw(st.integers(2, 3))):
        size = draw(st.integers(1, 8))
        bits = st.lists(st.integers(0, 1), min_size=size, max_size=size)
        inputs = np.stack([draw(bits), draw(bits)], axis=1)[:, None, :].astype("float32")
        splits.append(Examples(inputs, np.array(draw(bits))))
    return splits


@given(small_splits())
def test_copies_are_those_that_comparing_each_with_each_finds(splits: list[Examples]) -> None:
    train, test, *validation = splits
    expected = {}
    for name, split in zip(("test", "validation"), splits[1:], strict=False):
        alike = [
            [int(train.targets[j]) for j in range(len(train)) if np.array_equal(row, other[j])]
            for row, other in ((row, train.inputs) for row in split.inputs)
        ]
        count = sum(map(bool, alike))
        pairs = zip(split.targets, alike, strict=True)
        other = sum(bool(known) and target not in known for target, known in pairs)
        if count:
            expected[name] = (count, len(split), other)
    rows = [tuple(row.flatten()) for row in train.inputs]
    again = sum(row in rows[:i] for i, row in enumerate(rows))
    if again:
        expected["train"] = (again, len(rows), 0)
    by_row: dict[Any, Counter[int]] = {}
    for row, target in zip(rows, train.targets, strict=True):
        by_row.setdefault(row, Counter())[int(target)] += 1
    wrong = sum(sum(counts.values()) - max(counts.values()) for counts in by_row.values())
    if wrong:
        expected["wrong"] = (wrong, len(rows), 0)
    assert copies(examine(subject(train, test, *validation, names=("no", "yes")))) == expected


@given(st.data())
def test_planted_copies_are_found_and_none_where_there_are_none(data: st.DataObject) -> None:
    """In a table too, whose columns have many values."""
    train, test = noise(60)[:40], noise(60)[40:]
    assert copies(examine(subject(classified(train), classified(test)))) == {}
    rows = data.draw(st.lists(st.integers(0, 19), min_size=1, unique=True))
    for row in rows:
        test[row] = train[data.draw(st.integers(0, 39))]
    (found,) = copies(examine(subject(classified(train), classified(test)))).items()
    assert found[0] == "test"
    assert found[1][:2] == (len(rows), 20)


def test_a_copy_is_told_with_its_place_and_what_to_do() -> None:
    train = replace(classified(noise(40)), places=np.arange(40) + 2, place="line {}")
    test = replace(classified(noise(50)[40:]), places=np.arange(10) + 42, place="line {}")
    test.inputs[7] = train.inputs[11]
    assert examine(subject(train, test)) == (
        "1 of the 10 test examples (10 %) have the same inputs as a training example, 1 of them "
        "with another target, such as line 49 here and line 13 there: what is measured on these "
        "may be memory; take copies out of the data",
    )
    (told,) = examine(subject(train, test, learns_targets=False))
    assert "another target" not in told


def test_the_copy_that_is_named_is_the_first() -> None:
    train, test = classified(noise(40)), classified(noise(50)[40:])
    test.inputs[[4, 7]] = train.inputs[[30, 11]]
    train.inputs[35] = train.inputs[30]
    told = examine(subject(train, test))
    assert "such as example 4 here and example 30 there" in told[0]
    assert "such as example 35 and example 30" in told[1]


@pytest.mark.parametrize(("size", "is_told"), [(1000, True), (1001, False)])
def test_so_few_copies_that_no_metric_shows_them_are_not_told(size: int, *, is_told: bool) -> None:
    train, test = classified(noise(size + 20)[:20]), classified(noise(size + 20)[20:])
    test.inputs[5] = train.inputs[5]
    assert ("test" in copies(examine(subject(train, test)))) == is_told


@pytest.mark.parametrize(("size", "is_told"), [(100, True), (101, False)])
def test_so_few_repetitions_that_they_weigh_nothing_are_not_told(
    size: int, *, is_told: bool
) -> None:
    train, test = classified(noise(size + 20)[20:]), classified(noise(size + 20)[:20])
    train.inputs[5] = train.inputs[2]
    assert ("train" in copies(examine(subject(train, test)))) == is_told


def test_what_columns_of_few_values_make_alike_is_chance() -> None:
    """Four questions that are answered with yes or no: 16 answers for 200 people."""
    answers = np.random.default_rng(0).integers(0, 2, size=(250, 4)).astype("float64")
    train, test = classified(answers[:200]), classified(answers[200:])
    assert copies(examine(subject(train, test, learns_targets=False))) == {}
    # The same as images: no two photographs are alike by chance.
    as_images = [replace(each, inputs=each.inputs[:, None]) for each in (train, test)]
    assert copies(examine(subject(*as_images, learns_targets=False))).keys() == {"train", "test"}
    # With one column of many values beside them every copy counts.
    wide = np.concatenate([answers, noise(250, 1)], axis=1)
    train, test = classified(wide[:200]), classified(wide[200:])
    assert copies(examine(subject(train, test))) == {}
    test.inputs[:10] = train.inputs[:10]
    assert copies(examine(subject(train, test))) == {"test": (10, 50, 0)}


def test_chance_knows_that_the_columns_of_a_word_are_one() -> None:
    """A word of 50 becomes 50 columns, nearly all of them 0, which seem to make rows alike."""
    word = {"name": "w", "kind": "categorical", "categories": [str(i) for i in range(50)]}
    words = np.eye(50)[np.random.default_rng(0).integers(0, 50, size=(60, 2))]
    one, two = words[:, 0], words.reshape(60, 100)
    told = examine(subject(classified(one[:50]), classified(one[50:]), columns=(word,)))
    assert "test" not in copies(told)
    train, test = classified(two[:50]), classified(two[50:])
    assert "test" not in copies(examine(subject(train, test, columns=(word, word))))
    test.inputs[:3] = train.inputs[:3]
    told = examine(subject(train, test, columns=(word, word)))
    assert copies(told)["test"] == (3, 10, 0)


def test_chance_is_not_reckoned_further_than_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two columns of many values are enough of 500."""
    train, test = classified(noise(100, 500)), classified(noise(110, 500)[100:])
    test.inputs[0] = train.inputs[0]
    looked: list[int] = []

    def counted(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        looked.append(len(arrays))
        return numbered(arrays)

    monkeypatch.setattr(examination, "numbered", counted)
    assert copies(examine(subject(train, test))) == {"test": (1, 10, 0)}
    assert len(looked) < 5


def test_contradictions_are_told_with_an_example() -> None:
    train = classified(np.repeat(noise(30), 3, axis=0))  # each of the inputs as cat, dog and owl
    told = examine(subject(train, classified(noise(40)[30:])))
    assert (
        "60 of the 90 training examples (66.7 %) can be right in no net: others with the same "
        "inputs are of another class, as example 0 is 'cat' and example 1 'dog'; correct the "
        "classes, or add inputs that tell them apart" in told
    )
    told = examine(subject(train, classified(noise(40)[30:]), learns_targets=False))
    assert "wrong" not in copies(told)


def test_files_are_named_by_their_paths(tmp_path: Path) -> None:
    from PIL import Image

    for split, count in (("train", 6), ("test", 2)):
        for number, name in enumerate(("cat", "dog")):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(count):
                colour = (50 * number, 10 * i, 7 if split == "test" else 0)
                image = Image.new("RGB", (4, 4), (0, 10, 0) if i == 1 else colour)
                image.save(tmp_path / split / name / f"{i}.png")
    dataset = ImageFolder(path=str(tmp_path), size=4, validation=None)
    told = prepare(dataset, examine=examine).findings
    assert "such as test/cat/1.png here and train/cat/1.png there" in told[0]
    assert "such as train/dog/1.png and train/cat/1.png" in told[1]
    assert "as train/cat/1.png is 'cat' and train/dog/1.png 'dog'" in told[2]


def test_the_lines_are_those_of_the_file_whatever_was_drawn(tmp_path: Path) -> None:
    values = noise(60, 2)
    rows = [f"{a},{b},{i}" for i, (a, b) in enumerate(values.tolist())]
    (told,) = of_table(tmp_path, ["a,b,y", *rows, rows[17]], test=0.5, validation=None)
    # The header is line 1, row 17 line 19, its copy line 62; which is in the test is drawn.
    assert set(re.findall(r"line \d+", told)) == {"line 19", "line 62"}


# --- targets ---------------------------------------------------------------------------------


def test_a_column_that_is_the_target(tmp_path: Path) -> None:
    values = noise(60, 1)[:, 0].tolist()
    rows = [f"{a},{round(3.5 * i - 2, 3)},{i}" for i, a in enumerate(values)]
    assert of_table(tmp_path, ["a,price (EUR),y", *rows]) == (
        "the column 'price (EUR)' is the target in other words: it gives away what is to be "
        "predicted; data.ignore leaves it out",
    )
    gaps = [row if i % 3 else "5,," + row.split(",")[2] for i, row in enumerate(rows)]
    (told,) = of_table(tmp_path, ["a,b,y", *gaps], missing="mean")
    assert told.startswith("the column 'b' is the target in other words")
    known_for_one = [
        f"{a},{i if i % 3 else ''},{7 if i % 3 else i % 5}" for i, a in enumerate(values)
    ]
    assert of_table(tmp_path, ["a,b,y", *known_for_one], missing="mean") == ()
    near = [f"{a},{i + (i % 7)},{i}" for i, a in enumerate(values)]
    assert of_table(tmp_path, ["a,b,y", *near]) == ()


@pytest.mark.parametrize(("size", "is_told"), [(20, True), (19, False)])
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_few_examples_may_be_equal_by_chance(
    task: str, size: int, *, is_told: bool, tmp_path: Path
) -> None:
    rows = [f"{a},{i % 3},{i % 3}" for i, a in enumerate(noise(size + 3, 1)[:, 0].tolist())]
    split = {"validation": None, "test": {"first": 3}}
    told = of_table(tmp_path, ["a,b,y", *rows], task=task, **split)
    assert len(told) == is_told


def test_where_no_target_is_learned_none_is_given_away() -> None:
    kinds = np.arange(60)[:, None] % 3
    train, test = classified(np.hstack([noise(60, 1), kinds])), classified(noise(3, 2) + 9)
    columns = tuple({"name": name, "kind": "numeric"} for name in "ab")
    given_away = subject(train, test, columns=columns)
    assert len(examine(given_away)) == 1
    assert examine(replace(given_away, learns_targets=False)) == ()


def test_two_words_for_two_numbers(tmp_path: Path) -> None:
    values = noise(60, 1)[:, 0].tolist()
    rows = [f"{a},{'yes' if i % 2 else 'no'},{4 + i % 2}" for i, a in enumerate(values)]
    told = of_table(tmp_path, ["a,b,y", *rows])
    assert told[0].startswith("the column 'b' is the target in other words")


@pytest.mark.parametrize("given_away", [("yes", "no", "perhaps"), (7, 8, 9)])
def test_a_column_that_is_the_class(given_away: tuple[object, ...], tmp_path: Path) -> None:
    values = noise(60, 1)[:, 0].tolist()
    rows = [f"{a},{given_away[i % 3]},{NAMES[i % 3]}" for i, a in enumerate(values)]
    (told,) = of_table(tmp_path, ["a,b,y", *rows], task="classification")
    assert told.startswith("the column 'b' is the target in other words")
    # Of two values for three classes, or of four, nothing is told.
    for others in ((0, 0, 1, 0, 0, 1), (0, 1, 2, 0, 1, 3)):
        rows = [f"{a},{others[i % 6]},{NAMES[i % 3]}" for i, a in enumerate(values)]
        assert of_table(tmp_path, ["a,b,y", *rows], task="classification") == ()


def test_a_class_that_is_not_measured() -> None:
    train, test = classified(noise(40)), classified(noise(60)[40:])
    lacking = Examples(noise(70)[60:], np.arange(10) % 2)
    assert examine(subject(train, test, lacking)) == (
        "no validation example is of the class 'owl': the validation metrics do not say how "
        "well that is told; stratified: true, in data.validation or data.test, keeps some of "
        "every class",
    )
    assert examine(subject(train, test, lacking, learns_targets=False)) == ()
    many = subject(train, lacking, names=tuple(f"c{i}" for i in range(12)))
    (told,) = examine(many)
    assert "no test example is of the class 'c2', 'c3', 'c4', 'c5', 'c6' and 5 more: " in told


@pytest.mark.parametrize(("rare", "is_told"), [(9, True), (10, False)])
def test_a_class_that_is_nearly_all_there_is(rare: int, *, is_told: bool) -> None:
    train = Examples(noise(200), (np.arange(200) < rare).astype("int64"))
    test = Examples(noise(210)[200:], np.arange(10) % 2)
    told = examine(subject(train, test, names=("well", "ill")))
    assert told == (
        (
            "95.5 % of the training examples are of the class 'well': a net that always says so "
            "has an accuracy of 0.955; metrics: [accuracy, confusion] shows how the others are "
            "told",
        )
        if is_told
        else ()
    )


def test_a_number_that_is_a_class(tmp_path: Path) -> None:
    values = noise(60, 1)[:, 0].tolist()
    rows = [f"{a},{1 + i % 2}" for i, a in enumerate(values)]
    (told,) = of_table(tmp_path, ["a,y", *rows], validation=None)
    assert told == (
        "the target has only two values, 1 and 2, in 48 training examples; if they are classes: "
        "data.task: classification"
    )
    rows = [f"{a},{1 + i % 3}" for i, a in enumerate(values)]
    assert of_table(tmp_path, ["a,y", *rows]) == ()


def test_a_target_that_is_far_from_all_others(tmp_path: Path) -> None:
    values = noise(60, 1)[:, 0].tolist()
    rows = [f"{a},{1e9 if i == 4 else i % 20}" for i, a in enumerate(values)]
    (told,) = of_table(tmp_path, ["a,y", *rows], validation=None, test={"random": 1})
    assert told == (
        "the target is 1e+09 in line 6, more than 10 times as far from the median as all other "
        "values; correct it if it is an error"
    )


@pytest.mark.parametrize("power", [-320, 37])
def test_numbers_so_small_or_large_that_their_squares_are_none(power: int, tmp_path: Path) -> None:
    values = noise(60, 1)[:, 0].tolist()
    rows = [f"{a},{i % 4 - 1}e{power},{i % 7}" for i, a in enumerate(values)]
    assert of_table(tmp_path, ["a,b,y", *rows]) == ()
    rows = [f"{a},{i % 7}e{power},{i % 7}" for i, a in enumerate(values)]
    (told,) = of_table(tmp_path, ["a,b,y", *rows])
    assert told.startswith("the column 'b' is the target")


# --- columns ---------------------------------------------------------------------------------


def test_columns_that_never_vary(tmp_path: Path) -> None:
    rows = [f"5,{a},EUR,{i % 7}" for i, (a,) in enumerate(noise(60, 1).tolist())]
    assert of_table(tmp_path, ["b,a,currency,y", *rows], validation=None) == (
        "all 48 training examples have one and the same value in 'b', 'currency': nothing is "
        "learned from such a column; data.ignore leaves it out",
    )
    gaps = [f"{5 if i % 3 else ''},{a},{i % 7}" for i, (a,) in enumerate(noise(60, 1).tolist())]
    (told,) = of_table(tmp_path, ["b,a,y", *gaps], missing="mean")
    assert "in 'b': nothing" in told


def test_pixels_that_never_vary_are_usual() -> None:
    train, test = classified(noise(40, 4, 4)), classified(noise(60, 4, 4)[40:])
    train.inputs[:, 0], test.inputs[:, 0] = 0, 0
    assert examine(subject(train, test)) == ()
    flat = [replace(each, inputs=each.inputs.reshape(-1, 16)) for each in (train, test)]
    assert examine(subject(*flat)) == ()


def test_a_value_that_stands_for_none(tmp_path: Path) -> None:
    rows = [f"{-999 if i % 5 == 0 else 20 + i},{a}" for i, a in enumerate(noise(60, 1)[:, 0])]
    (told,) = of_table(tmp_path, ["age,y", *rows], validation=None, test={"random": 1})
    assert re.match(
        r"the column 'age' is -999 in line 2, and (10|11) times more, more than 10 times as far "
        r"from the median as all other values, and scaling by it squeezes these together; ",
        told,
    )
    gaps = [row if i % 7 else f",{row.split(',')[1]}" for i, row in enumerate(rows)]
    (told,) = of_table(tmp_path, ["age,y", *gaps], missing="mean")
    assert told.startswith("the column 'age' is -999 in line ")


@pytest.mark.parametrize(
    "values",
    [
        [0, 1, 1000],  # flags and grades
        [0] * 30 + [1, 2, 3, 25],  # counts: mostly 0, and 25 is not ten times 3
        list(range(100)),
        list(np.random.default_rng(0).lognormal(0, 2, size=100)),  # incomes
    ],
    ids=["flags", "counts", "numbers", "incomes"],
)
def test_values_that_are_not_far(values: list[float], tmp_path: Path) -> None:
    rows = [f"{values[i % len(values)]},{a},{i % 9}" for i, a in enumerate(noise(120, 1)[:, 0])]
    assert of_table(tmp_path, ["n,a,y", *rows]) == ()


# --- words and the key -----------------------------------------------------------------------


def test_names_cannot_take_over_the_terminal(tmp_path: Path) -> None:
    name = "x\x1b[2J" + "y" * 100
    rows = [f"5,{a},{i % 7}" for i, (a,) in enumerate(noise(60, 1).tolist())]
    (told,) = of_table(tmp_path, [f"{name},a,y", *rows])
    assert told.isprintable()
    assert f"'x?[2J{'y' * 52}...'" in told


def test_the_key_is_of_all_that_the_findings_depend_on() -> None:
    train, test = classified(noise(40)), classified(noise(50)[40:])
    plain = subject(train, test)
    others = [
        replace(plain, fingerprint="1" * 64),
        replace(plain, class_names=("cat", "dog", "elk")),
        replace(plain, columns=({"name": "a", "kind": "numeric"},)),
        replace(plain, learns_targets=False),
        replace(plain, train=replace(train, place="line {}")),
        replace(plain, train=replace(train, places=np.arange(40) + 2)),
        replace(plain, test=replace(test, places=np.arange(10) + 2)),
    ]
    keys = [each.key() for each in (plain, *others)]
    assert len(set(keys)) == len(keys)
    assert subject(classified(noise(40)), test).key() == keys[0]
    assert re.fullmatch("[0-9a-f]{64}", keys[0])
