"""What a practitioner wants to be told of data before anything is learned from them.

What is found may be meant so: it is said, not refused. Each finding is one sentence or two, with
counts, a place to look at and what to do. The limits keep silent what is usual.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnnlab.choices.datasets import Examples
from dnnlab.training.identical import numbered

VERSION = 1
"""Of what is looked for and how it is said: what was found by another version counts no more."""
COPIES = 1 / 1000
"""Of the held-out examples: fewer cannot move the third decimal of an accuracy."""
REPEATED = 1 / 100
"""Of the training examples: fewer that repeat or contradict others change little."""
CHANCE = 5
"""So many times what columns of few values make alike by chance, as columns that go together do."""
SAMPLE = 10_000
"""Training examples by which chance is estimated."""
OVERWHELMING = 0.95
"""A class of a larger share makes a net that knows nothing else right 19 times out of 20."""
FAR = 10
"""A value so many times as far from the median as all others is hardly one of them."""
FEW_VALUES = 3
"""Of a column with so few different values none is far: they are flags and grades."""
ENOUGH = 20
"""With fewer examples a column may equal the target by chance."""
PAIR = 32
"""Bits by which the first number of a pair is shifted."""
ROUNDED = 1e-6
"""What rounding takes away from a correlation of 1."""
NAMED = 5
"""Columns and classes that a finding names, before the rest are counted only."""


@dataclass(frozen=True)
class Subject:
    """What is examined: the splits as they were read, and what is known of them."""

    train: Examples
    validation: Examples | None
    test: Examples
    class_names: tuple[str, ...]
    """Empty where the targets are no classes."""
    columns: tuple[dict[str, Any], ...]
    """What each column of a table was made of; empty for other data."""
    learns_targets: bool
    fingerprint: str
    """Of all examples."""

    def held_out(self) -> dict[str, Examples]:
        """Returns the splits that are measured and not learned from, by name."""
        both = {"validation": self.validation, "test": self.test}
        return {name: split for name, split in both.items() if split is not None}

    def key(self) -> str:
        """Returns a SHA-256 of all that the findings depend on."""
        known = [VERSION, self.fingerprint, self.class_names, self.columns, self.learns_targets]
        digest = hashlib.sha256(json.dumps(known).encode())
        for split in (self.train, *self.held_out().values()):
            digest.update(split.place.encode())
            digest.update(b"" if split.places is None else split.places.tobytes())
        return digest.hexdigest()

    def column_inputs(self) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        """Yields each column of a table with its training inputs, (N, features)."""
        first = 0
        for column in self.columns:
            width = 1 if column["kind"] == "numeric" else len(column["categories"])
            yield column, self.train.inputs[:, first : first + width]
            first += width


Examiner = Callable[[Subject], tuple[str, ...]]
"""Finds out what is worth telling of a subject."""


def examine(subject: Subject) -> tuple[str, ...]:
    """Returns what is worth telling of the data, the gravest first; of most data nothing.

    Every character can be printed, whatever classes and columns are called.
    """
    found: list[str] = []
    if subject.learns_targets:
        found += _targets_among_the_inputs(subject)
    found += _copies(subject)
    if subject.learns_targets:
        found += _of_the_classes(subject) if subject.class_names else _of_the_target(subject)
    found += [*_constant_columns(subject), *_far_values(subject)]
    return tuple("".join(c if c.isprintable() else "?" for c in text) for text in found)


# --- the same inputs more than once ----------------------------------------------------------


def _copies(subject: Subject) -> Iterator[str]:
    train, held = subject.train, subject.held_out()
    inputs, *others = numbered([train.inputs, *(split.inputs for split in held.values())])
    targets, *answers = numbered([train.targets, *(split.targets for split in held.values())])
    firsts = np.full(1 + max(int(numbers.max()) for numbers in (inputs, *others)), -1)
    firsts[inputs[::-1]] = np.arange(len(train))[::-1]  # of several, the last written stays
    for (name, split), numbers, answer in zip(held.items(), others, answers, strict=True):
        copied = firsts[numbers] >= 0
        if copied.mean() < COPIES or _is_chance(copied.mean(), subject, len(train)):
            continue
        row = int(copied.argmax())
        agree = np.isin(_paired(numbers, answer)[copied], _paired(inputs, targets))
        other = int((~agree).sum()) if subject.learns_targets else 0
        yield (
            f"{_share(copied, name)} have the same inputs as a training example"
            + (f", {other:,} of them with another target" if other else "")
            + f", such as {split.name_of(row)} here and {train.name_of(firsts[numbers[row]])} "
            f"there: what is measured on these may be memory; take copies out of the data"
        )
    repeated = firsts[inputs] != np.arange(len(train))
    # An example has half of the others before it, in the mean.
    if repeated.mean() >= REPEATED and not _is_chance(repeated.mean(), subject, len(train) / 2):
        row = int(repeated.argmax())
        yield (
            f"{_share(repeated, 'training')} have the same inputs as an earlier one, such as "
            f"{train.name_of(row)} and {train.name_of(firsts[inputs[row]])}: what stands there "
            f"twice counts twice; take it out, unless it was really seen so often"
        )
    if subject.learns_targets and subject.class_names:
        yield from _contradictions(subject, inputs)


def _contradictions(subject: Subject, inputs: np.ndarray) -> Iterator[str]:
    """Of equal inputs with unequal classes only those of the most frequent class can be right."""
    train, total = subject.train, len(subject.train)
    pairs, counts = np.unique(_paired(inputs, train.targets), return_counts=True)
    groups = pairs >> PAIR
    starts = np.flatnonzero(np.append(True, groups[1:] != groups[:-1]))
    wrong = total - int(np.maximum.reduceat(counts, starts).sum())
    if wrong < REPEATED * total:
        return
    here = int(np.isin(inputs, groups[1:][groups[1:] == groups[:-1]]).argmax())
    there = int(((inputs == inputs[here]) & (train.targets != train.targets[here])).argmax())
    names = [_quoted(subject.class_names[train.targets[row]]) for row in (here, there)]
    yield (
        f"{wrong:,} of the {total:,} training examples ({_percent(wrong / total)}) can be right in "
        f"no net: others with the same inputs are of another class, as {train.name_of(here)} is "
        f"{names[0]} and {train.name_of(there)} {names[1]}; correct the classes, or add inputs "
        f"that tell them apart"
    )


def _paired(numbers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Makes one number of two, each below 2^31."""
    pairs: np.ndarray = (numbers << PAIR) | targets
    return pairs


def _is_chance(share: float, subject: Subject, others: float) -> bool:
    """Whether so many examples may equal one of `others` because few inputs are possible.

    It is reckoned as if the columns of a table had nothing to do with each other. Two images are
    never alike by chance.
    """
    inputs = subject.train.inputs
    if inputs.ndim > 2:
        return False
    parts = [part for _, part in subject.column_inputs()] or np.hsplit(inputs, inputs.shape[1])
    alike = 1.0
    for part in parts:
        counts = np.bincount(numbered([part[:: len(part) // SAMPLE + 1]])[0])
        total = counts.sum()
        alike *= float((counts * (counts - 1)).sum() / max(1, total * (total - 1)))
        if alike * others < COPIES / CHANCE:
            return False
    return share < float(CHANCE * (1 - (1 - alike) ** others))


# --- targets ---------------------------------------------------------------------------------


def _targets_among_the_inputs(subject: Subject) -> Iterator[str]:
    targets = subject.train.targets
    for column, part in subject.column_inputs():
        if subject.class_names:
            same = _is_one_to_one(numbered([part])[0], targets)
        else:
            same = _is_linear(part[:, 0], targets)
        if same:
            yield (
                f"the column {_quoted(column['name'])} is the target in other words: it gives away "
                f"what is to be predicted; data.ignore leaves it out"
            )


def _is_one_to_one(values: np.ndarray, targets: np.ndarray) -> bool:
    pairs = len(np.unique(_paired(values, targets)))
    return len(values) >= ENOUGH and pairs == len(np.unique(values)) == len(np.unique(targets))


def _is_linear(values: np.ndarray, targets: np.ndarray) -> bool:
    known = ~np.isnan(values)
    values, targets = values[known], targets[known]
    if len(values) < ENOUGH or min(np.ptp(values), np.ptp(targets)) == 0:
        return False
    both = np.stack([_from_0_to_1(each) for each in (values, targets)])
    return bool(abs(np.corrcoef(both)[0, 1]) > 1 - ROUNDED)


def _from_0_to_1(values: np.ndarray) -> np.ndarray:
    """Squares of numbers in the extremes of their type would be 0 or infinite."""
    least, most = float(values.min()), float(values.max())
    return (values.astype("float64") - least) / (most - least)


def _of_the_classes(subject: Subject) -> Iterator[str]:
    names, total = subject.class_names, len(subject.train)
    for name, split in subject.held_out().items():
        absent = np.flatnonzero(np.bincount(split.targets, minlength=len(names)) == 0)
        if len(absent):
            yield (
                f"no {name} example is of the class {_listed([names[i] for i in absent])}: the "
                f"{name} metrics do not say how well that is told; stratified: true, in "
                f"data.validation or data.test, keeps some of every class"
            )
    counts = np.bincount(subject.train.targets, minlength=len(names))
    largest = int(counts.argmax())
    share = counts[largest] / total
    if share > OVERWHELMING:
        yield (
            f"{_percent(share)} of the training examples are of the class "
            f"{_quoted(names[largest])}: a net that always says so has an accuracy of {share:.3f}; "
            f"metrics: [accuracy, confusion] shows how the others are told"
        )


def _of_the_target(subject: Subject) -> Iterator[str]:
    targets = subject.train.targets
    different = np.unique(targets)
    if len(different) == 2:
        yield (
            f"the target has only two values, {different[0]:g} and {different[1]:g}, in "
            f"{len(targets):,} training examples; if they are classes: data.task: classification"
        )
    if far := _far(targets):
        yield f"the target {_how_far(subject.train, targets, far)}; correct it if it is an error"


# --- columns ---------------------------------------------------------------------------------


def _constant_columns(subject: Subject) -> Iterator[str]:
    names = [
        column["name"]
        for column, part in subject.column_inputs()
        if np.array_equal(np.nanmin(part, axis=0), np.nanmax(part, axis=0))
    ]
    if names:
        yield (
            f"all {len(subject.train):,} training examples have one and the same value in "
            f"{_listed(names)}: nothing is learned from such a column; data.ignore leaves it out"
        )


def _far_values(subject: Subject) -> Iterator[str]:
    for column, part in subject.column_inputs():
        if far := _far(part[:, 0]):  # of a word's columns, 0 and 1, nothing is
            yield (
                f"the column {_quoted(column['name'])} "
                f"{_how_far(subject.train, part[:, 0], far)}, and scaling by it squeezes these "
                f"together; correct it if it is an error, leave it empty if it means that nothing "
                f"is known (data.missing: mean)"
            )


def _far(values: np.ndarray) -> float | None:
    """Returns the value that is many times as far from the median as all others, if there is one.

    However often it stands there: what means that nothing is known, such as -999, does so often.
    """
    values = values[~np.isnan(values)]
    different = np.unique(values)
    if len(different) <= FEW_VALUES:
        return None
    distances = np.abs(different.astype("float64") - np.median(values))
    *_, second, last = np.argsort(distances)
    if distances[second] < distances[last] / FAR:
        return float(different[last])
    return None


def _how_far(train: Examples, values: np.ndarray, far: float) -> str:
    rows = np.flatnonzero(values == far)
    often = f", and {len(rows) - 1:,} times more" if len(rows) > 1 else ""
    return (
        f"is {far:g} in {train.name_of(rows[0])}{often}, more than {FAR} times as far from the "
        f"median as all other values"
    )


# --- words -----------------------------------------------------------------------------------


def _share(which: np.ndarray, name: str) -> str:
    return f"{which.sum():,} of the {len(which):,} {name} examples ({_percent(which.mean())})"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _quoted(name: str) -> str:
    return f"'{name if len(name) <= 60 else name[:57] + '...'}'"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(_quoted, names[:NAMED])) + more
