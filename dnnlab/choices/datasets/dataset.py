"""What every dataset has: how it is split and scaled, and what reading it gives. No torch here."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, Strict, model_validator

from dnnlab.choices.datasets.augmentation import Augmentation
from dnnlab.choices.datasets.classes import ClassName, Relabelling, numbers_of
from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.randomness import key
from dnnlab.spec import Choice, Conflict, Count, Shorthand, Spec

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Signature:
    """What a net must know of the data: shape of one input, number of outputs, task."""

    input_shape: tuple[int, ...]
    num_outputs: int
    task: Task


@dataclass(frozen=True)
class Examples:
    """Inputs of shape (N, *input_shape) and targets of shape (N,), as they were read."""

    inputs: "np.ndarray"
    targets: "np.ndarray"
    places: "np.ndarray | None" = None
    """Where each was read, such as the line of a file; None: in their order, counted from 0."""
    place: str = "example {}"
    """What a place is called."""

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: "np.ndarray") -> "Examples":
        """Returns the examples of these rows, in their order, which still know their places."""
        places = rows if self.places is None else self.places[rows]
        return Examples(self.inputs[rows], self.targets[rows], places, self.place)

    def name_of(self, row: int) -> str:
        """Returns what a person finds an example by: "line 14", "cat/1.jpg", "example 12"."""
        return self.place.format(row if self.places is None else self.places[row])


Standardization = Literal["per_feature", "per_channel", "range", "none"]


@dataclass(frozen=True)
class Source:
    """A dataset as it was read: not yet scaled, and the validation split mostly in `train`."""

    train: Examples
    test: Examples
    validation: Examples | None = None
    """Only where the data bring their own."""
    class_names: tuple[str, ...] = ()
    """One name per class, in the order of the targets' numbers; empty for regression."""
    columns: tuple[dict[str, Any], ...] = field(default=())
    """For tables: what each input column was made of, so that new rows can be encoded alike."""
    path: str = ""
    """The file, where it is one."""
    gaps: Literal["refuse", "mean", "median"] = "refuse"
    """What an input that is missing (nan) becomes: a statistic of the training split."""


class Holdout(Spec):
    """Some of the examples: the first n, n at random, or a share."""

    first: Count | None = None
    """The first n examples, in the order of the file."""
    random: Count | None = None
    """n examples drawn at random."""
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A share of the examples, drawn at random."""
    stratified: bool = False
    """The same share of every class, up to one example; with random or fraction."""
    seed: int = 0
    """Which random draw. It is not the training's seed: seeds are compared on the same examples."""

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if [self.first, self.random, self.fraction].count(None) != 2:
            raise ValueError("give one of first, random, fraction")
        if self.stratified and self.first is not None:
            raise ValueError("stratified goes with random or fraction, not with first")
        return self

    def divide(self, examples: Examples, purpose: str) -> tuple[Examples, Examples]:
        """Returns (what is left for training, what is held out).

        Raises DataError if fewer than one example would be left on either side.
        """
        import numpy as np

        total = len(examples)
        count = self._count(total)
        if not 0 < count < total:
            raise DataError(f"{purpose} cannot hold out {count} of {total} examples")
        held = self._rows(examples, count, purpose)
        return examples.take(np.setdiff1d(np.arange(total), held)), examples.take(held)

    def keep(self, examples: Examples, purpose: str) -> Examples:
        """Returns only these examples. Raises DataError if there are not so many, or none."""
        total = len(examples)
        count = self._count(total)
        if not 0 < count <= total:
            raise DataError(f"{purpose} cannot keep {count} of {total} examples")
        return examples.take(self._rows(examples, count, purpose))

    def _count(self, total: int) -> int:
        return self.first or self.random or round(total * (self.fraction or 0))

    def _rows(self, examples: Examples, count: int, purpose: str) -> "np.ndarray":
        """Returns the rows of `count` examples, in their order."""
        import numpy as np

        total = len(examples)
        if self.first is not None:
            return np.arange(count)
        order = np.random.default_rng(key(self.seed, "split", purpose)).permutation(total)
        if not self.stratified:
            return np.sort(order[:count])
        assert examples.targets.dtype == np.int64, "Dataset.conflicts refuses regression"
        classes, sizes = np.unique(examples.targets, return_counts=True)
        parts = [
            order[examples.targets[order] == each][:size]
            for each, size in zip(classes, _apportioned(sizes, count), strict=True)
        ]
        return np.sort(np.concatenate(parts))


def _apportioned(sizes: "np.ndarray", count: int) -> "np.ndarray":
    """Divides `count` in the proportion of `sizes`, by largest remainders: the sum is exact."""
    import numpy as np

    whole, remainders = np.divmod(sizes * count, sizes.sum())
    largest = np.argsort(-remainders, kind="stable")[: count - whole.sum()]
    whole[largest] += 1
    return whole


Held = Annotated[Holdout, Shorthand("fraction")]


class Dataset(Choice):
    """What every dataset has. Abstract."""

    family: ClassVar[str] = "data"
    members: ClassVar[dict[str, str]] = {
        "digits": "bundled.Digits",
        "wine": "bundled.Wine",
        "breast_cancer": "bundled.BreastCancer",
        "diabetes": "bundled.Diabetes",
        "mnist": "images.Mnist",
        "fashion_mnist": "images.FashionMnist",
        "kmnist": "images.Kmnist",
        "emnist": "images.Emnist",
        "cifar10": "cifar.Cifar10",
        "cifar100": "cifar.Cifar100",
        "svhn": "svhn.Svhn",
        "image_folder": "image_folder.ImageFolder",
        "spiral": "made.Spiral",
        "moons": "made.Moons",
        "circles": "made.Circles",
        "xor": "made.Xor",
        "csv": "table.Csv",
        "parquet": "table.Parquet",
        "npz": "arrays.Npz",
    }

    validation: Held | None = Holdout(fraction=0.1)
    """Held out of the training split to watch the training: a share, or {first: n}, {random: n}."""
    classes: Annotated[tuple[ClassName, ...], Strict(False)] | None = None
    """Only these classes, by name or number, become 0, 1, 2, ... in the order given. They are
    chosen after the validation split is taken. Classification only."""
    positive: ClassName | None = None
    """This class, by its name or its number in the data, becomes class 1, all others class 0."""
    train_size: Annotated[Holdout, Shorthand("random")] | None = None
    """Only so many of the training examples that are left: n at random, {first: n}, {fraction: f};
    null for all."""
    standardize: Standardization = "per_feature"
    """By the training split. per_feature: mean 0, sd 1; per_channel: the same over all pixels of a
    channel; range: to 0..1 by the extremes, of all pixels of an image or of each column of a table;
    none."""
    augmentation: Augmentation | None = None
    """Random changes of the training images: shift, flip, crop, cutout."""

    @model_validator(mode="after")
    def _classes_differ(self) -> Self:
        if self.classes is not None and len(self.classes) < 2:
            raise ValueError("classes: give two or more")
        if self.classes is not None and len(set(self.classes)) < len(self.classes):
            raise ValueError("classes: one of them is named twice")
        return self

    @property
    @abstractmethod
    def task_of_data(self) -> Task:
        """Classification or regression, known without reading the data."""

    @abstractmethod
    def signature(self) -> Signature | None:
        """Returns the shapes of all the data if they are known without reading them."""

    @abstractmethod
    def read(self) -> Source:
        """Reads the data. Raises DataError saying what was looked for, where, and what to do."""

    def shape(self) -> Signature | None:
        """Returns what a net must know, with the classes as chosen, if known without reading."""
        whole = self.signature()
        if whole is None or (self.classes is None and self.positive is None):
            return whole
        chosen = 2 if self.positive is not None else len(self.classes or ())
        return replace(whole, num_outputs=chosen)

    def known_class_names(self) -> tuple[str, ...]:
        """Returns the names of all classes if they are known without reading; else nothing."""
        return ()

    def relabelling(self, names: tuple[str, ...]) -> Relabelling | None:
        """Returns what becomes of the classes of these names; None if all stay as they are.

        Raises DataError naming the class that is not there.
        """
        if self.classes is None and self.positive is None:
            return None
        kept = tuple(range(len(names)))
        if self.classes is not None:
            kept = numbers_of(self.classes, names, "data.classes")
        if self.positive is None:
            return Relabelling.of(kept, names)
        (positive,) = numbers_of((self.positive,), names, "data.positive")
        if positive not in kept:
            raise DataError(f"data.positive: '{names[positive]}' is not among data.classes")
        return Relabelling.against_the_rest(positive, kept, names)

    def conflicts(self) -> Iterator[Conflict]:
        """Yields what cannot be, whatever the data are."""
        if self.task_of_data == "classification":
            yield from self._unknown_classes()
            return
        text = f"is for classification, but data are for {self.task_of_data}"
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name in ("classes", "positive") and value is not None:
                yield ("data", name), text
            if isinstance(value, Holdout) and value.stratified:
                yield ("data", name, "stratified"), text

    def _unknown_classes(self) -> Iterator[Conflict]:
        names = self.known_class_names()
        positive = () if self.positive is None else (self.positive,)
        for setting, words in (("classes", self.classes or ()), ("positive", positive)):
            try:
                numbers_of(words if names else (), names, f"data.{setting}")
            except DataError as error:
                yield ("data", setting), error.message.removeprefix(f"data.{setting}: ")

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what cannot be for data of this shape."""
        if self.augmentation is not None:
            yield from self.augmentation.conflicts_with(signature.input_shape)
