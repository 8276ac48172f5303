"""Metrics: what a person looks at. Functions of a whole split's outputs, not batch averages."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from dnnlab.choices.losses import Task
from dnnlab.spec import Family, Spec

if TYPE_CHECKING:
    from torch import Tensor

Measure = Callable[["Tensor", "Tensor"], float]


class Accuracy(Spec):
    """The share of examples whose most probable class is the true one.

        accuracy = hits / examples

    Source: none needed.
    Keras and PyTorch: the same (Keras averages over batches while training).
    """

    name: Literal["accuracy"] = "accuracy"
    task: ClassVar[Task] = "classification"
    larger_is_better: ClassVar[bool] = True

    def build(self) -> Measure:
        """Returns the function of logits (N, C) and classes (N,)."""
        from dnnlab.kernels.metrics import accuracy

        return accuracy


class MeanAbsoluteError(Spec):
    """The mean absolute difference of output and target, in units of the target.

        mae = mean(|output - target|)

    Source: none needed.
    Keras and PyTorch: the same.
    """

    name: Literal["mae"] = "mae"
    task: ClassVar[Task] = "regression"
    larger_is_better: ClassVar[bool] = False

    def build(self) -> Measure:
        """Returns the function of outputs (N, 1) and targets (N, 1)."""
        from dnnlab.kernels.metrics import mean_absolute_error

        return mean_absolute_error


class RootMeanSquaredError(Spec):
    """The root of the mean squared difference, in units of the target.

        rmse = sqrt(mean((output - target)²))

    Source: none needed.
    Keras: averages batch values of the square, then takes the root. PyTorch: none.
    """

    name: Literal["rmse"] = "rmse"
    task: ClassVar[Task] = "regression"
    larger_is_better: ClassVar[bool] = False

    def build(self) -> Measure:
        """Returns the function of outputs (N, 1) and targets (N, 1)."""
        from dnnlab.kernels.metrics import root_mean_squared_error

        return root_mean_squared_error


class R2(Spec):
    """The share of the target's variance that the outputs explain; 0 is no better than the mean.

        r2 = 1 - sum((output - target)²) / sum((target - mean target)²)

    Source: the coefficient of determination.
    Keras: R2Score, the same. PyTorch: none.
    """

    name: Literal["r2"] = "r2"
    task: ClassVar[Task] = "regression"
    larger_is_better: ClassVar[bool] = True

    def build(self) -> Measure:
        """Returns the function of outputs (N, 1) and targets (N, 1)."""
        from dnnlab.kernels.metrics import r2

        return r2


Metric = Annotated[Accuracy | MeanAbsoluteError | RootMeanSquaredError | R2, Family("metric")]


def usual_metrics(task: Task) -> tuple[Metric, ...]:
    """Returns what one looks at for a task when the config names nothing."""
    if task == "classification":
        return (Accuracy(),)
    return (MeanAbsoluteError(), RootMeanSquaredError(), R2())
