"""Metrics: what a person looks at. Functions of a whole split's outputs, not batch averages."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.losses import Task
from dnnlab.spec import Choice, Count

if TYPE_CHECKING:
    from torch import Tensor

Value = float | list[list[int]]
"""A number, or a table of counts."""
Measure = Callable[["Tensor", "Tensor"], Value]


class Metric(Choice):
    """What every metric can do. Abstract."""

    family: ClassVar[str] = "metric"
    members: ClassVar[dict[str, str]] = {
        "accuracy": "metrics.Accuracy",
        "top_k": "metrics.TopK",
        "confusion": "metrics.Confusion",
        "mae": "metrics.MeanAbsoluteError",
        "rmse": "metrics.RootMeanSquaredError",
        "r2": "metrics.R2",
    }
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    """What it is for."""
    larger_is_better: ClassVar[bool] = True
    is_number: ClassVar[bool] = True
    """Whether it can stand in a record; a table is measured at the end only."""

    @property
    def label(self) -> str:
        """Under which name its value is recorded."""
        return self.name

    @property
    def needs_classes(self) -> int:
        """With fewer classes it says nothing."""
        return 0

    @abstractmethod
    def build(self) -> Measure:
        """Returns the function of logits (N, C) and classes (N,), or of two arrays of numbers."""


class Accuracy(Metric):
    """The share of examples whose most probable class is the true one.

        accuracy = hits / examples

    Source: none needed.
    Keras and PyTorch: the same (Keras averages over batches while training).
    """

    name: Literal["accuracy"] = "accuracy"

    def build(self) -> Measure:
        """Returns the function of logits (N, C) and classes (N,)."""
        from dnnlab.kernels.metrics import accuracy

        return accuracy


class TopK(Metric):
    """The share of examples whose true class is among the k most probable.

        top_k = (examples whose true class has fewer than k classes above it) / examples

    Recorded as top_5 where k is 5. Of equal logits the one of the smaller class counts as larger.
    Source: Russakovsky et al., 2015, section 4.1.
    Keras: SparseTopKCategoricalAccuracy, the same but for ties. PyTorch: none.
    """

    name: Literal["top_k"] = "top_k"
    k: Count = 5
    """How many classes may be named."""

    @property
    def label(self) -> str:
        """Returns top_5 for k = 5."""
        return f"top_{self.k}"

    @property
    def needs_classes(self) -> int:
        """One more than may be named."""
        return self.k + 1

    def build(self) -> Measure:
        """Returns the function of logits (N, C) and classes (N,)."""
        from functools import partial

        from dnnlab.kernels.metrics import top_k

        return partial(top_k, k=self.k)


class Confusion(Metric):
    """How often each class was taken for each: a table, one row per true class.

        confusion[i][j] = examples of class i that were called j

    Measured at the end and by `evaluate`, not in every record.
    Source: none needed.
    Keras: confusion_matrix, the same. PyTorch: none.
    """

    name: Literal["confusion"] = "confusion"
    is_number: ClassVar[bool] = False

    def build(self) -> Measure:
        """Returns the function of logits (N, C) and classes (N,)."""
        from dnnlab.kernels.metrics import confusion

        return confusion


class MeanAbsoluteError(Metric):
    """The mean absolute difference of output and target, in units of the target.

        mae = mean(|output - target|)

    Source: none needed.
    Keras and PyTorch: the same.
    """

    name: Literal["mae"] = "mae"
    tasks: ClassVar[tuple[Task, ...]] = ("regression", "reconstruction")
    larger_is_better: ClassVar[bool] = False

    def build(self) -> Measure:
        """Returns the function of outputs and targets of one shape."""
        from dnnlab.kernels.metrics import mean_absolute_error

        return mean_absolute_error


class RootMeanSquaredError(Metric):
    """The root of the mean squared difference, in units of the target.

        rmse = sqrt(mean((output - target)²))

    Source: none needed.
    Keras: averages batch values of the square, then takes the root. PyTorch: none.
    """

    name: Literal["rmse"] = "rmse"
    tasks: ClassVar[tuple[Task, ...]] = ("regression", "reconstruction")
    larger_is_better: ClassVar[bool] = False

    def build(self) -> Measure:
        """Returns the function of outputs and targets of one shape."""
        from dnnlab.kernels.metrics import root_mean_squared_error

        return root_mean_squared_error


class R2(Metric):
    """The share of the target's variance that the outputs explain; 0 is no better than the mean.

        r2 = 1 - sum((output - target)²) / sum((target - mean target)²)

    Source: the coefficient of determination.
    Keras: R2Score, the same. PyTorch: none.
    """

    name: Literal["r2"] = "r2"
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)

    def build(self) -> Measure:
        """Returns the function of outputs (N, 1) and targets (N, 1)."""
        from dnnlab.kernels.metrics import r2

        return r2


def usual_metrics(task: Task) -> tuple[Metric, ...]:
    """Returns what one looks at for a task when the config names nothing."""
    if task == "classification":
        return (Accuracy(),)
    if task == "reconstruction":
        return (MeanAbsoluteError(), RootMeanSquaredError())
    return (MeanAbsoluteError(), RootMeanSquaredError(), R2())
