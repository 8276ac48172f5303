"""What every dataset has: how it is split and scaled, and what reading it gives. No torch here."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.randomness import key
from dnnlab.spec import Choice, Count, Shorthand, Spec

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

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: "np.ndarray") -> "Examples":
        """Returns the examples of these rows, in their order."""
        return Examples(self.inputs[rows], self.targets[rows])


@dataclass(frozen=True)
class Source:
    """A dataset as it was read: not yet scaled, and the validation split still in `train`."""

    train: Examples
    test: Examples
    class_names: tuple[str, ...] = ()
    """One name per class, in the order of the targets' numbers; empty for regression."""
    columns: tuple[dict[str, Any], ...] = field(default=())
    """For tables: what each input column was made of, so that new rows can be encoded alike."""
    fill_gaps: bool = False
    """Whether an input that is missing (nan) becomes the training split's mean."""


class Holdout(Spec):
    """Examples set aside from the training split: not trained on."""

    first: Count | None = None
    """The first n examples, in the order of the file."""
    random: Count | None = None
    """n examples drawn at random."""
    fraction: Annotated[float, Field(gt=0, lt=1)] | None = None
    """A share of the examples, drawn at random."""
    seed: int = 0
    """Which random draw. It is not the training's seed: seeds are compared on the same examples."""

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        if [self.first, self.random, self.fraction].count(None) != 2:
            raise ValueError("give one of first, random, fraction")
        return self

    def divide(self, examples: Examples, purpose: str) -> tuple[Examples, Examples]:
        """Returns (what is left for training, what is held out).

        Raises DataError if fewer than one example would be left on either side.
        """
        import numpy as np

        total = len(examples)
        count = self.first or self.random or round(total * (self.fraction or 0))
        if not 0 < count < total:
            raise DataError(f"{purpose} cannot hold out {count} of {total} examples")
        order = np.arange(total)
        if self.first is None:
            order = np.random.default_rng(key(self.seed, "split", purpose)).permutation(total)
        held, rest = np.sort(order[:count]), np.sort(order[count:])
        return examples.take(rest), examples.take(held)


Held = Annotated[Holdout, Shorthand("fraction")]


class Dataset(Choice):
    """What every dataset has. Abstract."""

    family: ClassVar[str] = "data"
    members: ClassVar[dict[str, str]] = {
        "digits": "bundled.Digits",
        "diabetes": "bundled.Diabetes",
        "fashion_mnist": "images.FashionMnist",
        "csv": "table.Csv",
    }

    validation: Held | None = Holdout(fraction=0.1)
    """Held out of the training split to watch the training: a share, or {first: n}, {random: n}."""
    standardize: Literal["per_feature", "range", "none"] = "per_feature"
    """per_feature: mean 0, sd 1 by the training split; range: to 0..1 by its extremes, of all
    pixels of an image or of each column of a table; none."""

    @property
    @abstractmethod
    def task_of_data(self) -> Task:
        """Classification or regression, known without reading the data."""

    @abstractmethod
    def signature(self) -> Signature | None:
        """Returns the shapes if they are known without reading the data."""

    @abstractmethod
    def read(self) -> Source:
        """Reads the data. Raises DataError saying what was looked for, where, and what to do."""
