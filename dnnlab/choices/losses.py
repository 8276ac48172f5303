"""Losses: what training makes small. Each is the mean over the batch."""

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.spec import Choice, Positive

if TYPE_CHECKING:
    from torch import Tensor

    Criterion = Callable[[Tensor, Tensor], Tensor]

Task = Literal["classification", "regression", "reconstruction"]
"""Classes; a number; or the inputs themselves, as an autoencoder learns them."""


class Loss(Choice):
    """What every loss can do. Abstract."""

    family: ClassVar[str] = "loss"
    members: ClassVar[dict[str, str]] = {
        "auto": "losses.AutoLoss",
        "cross_entropy": "losses.CrossEntropy",
        "binary_cross_entropy": "losses.BinaryCrossEntropy",
        "mse": "losses.MeanSquaredError",
        "mae": "losses.MeanAbsoluteErrorLoss",
        "huber": "losses.Huber",
    }
    tasks: ClassVar[tuple[Task, ...]] = ("regression", "reconstruction")
    """What it is for."""
    one_output: ClassVar[bool] = False
    """Whether a net for two classes has one output, the logit of the second, and not two."""

    @abstractmethod
    def build(self, label_smoothing: float = 0.0) -> "Criterion":
        """Returns the function of outputs and targets, both (B, C) or targets (B,) of classes."""


class AutoLoss(Loss):
    """Picks by the task of the data: cross_entropy for classes, mse for numbers.

    What was picked is written into the run's config. Where a net has a loss of its own, as in some
    ways of pretraining, it stays auto.
    Source: none needed.
    Keras and PyTorch: neither picks.
    """

    name: Literal["auto"] = "auto"
    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression", "reconstruction")

    def build(self, label_smoothing: float = 0.0) -> "Criterion":
        """Raises AssertionError: auto is replaced while reading."""
        raise AssertionError("auto is resolved while reading")


class CrossEntropy(Loss):
    """The negative logarithm of the probability given to the true class.

        loss = -log(softmax(z)[true class])

    Source: the chapter's classifiers; softmax is inside, nets end in logits.
    Keras: sparse_categorical_crossentropy with from_logits. PyTorch: cross_entropy, the same.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)

    def build(self, label_smoothing: float = 0.0) -> "Criterion":
        """Returns the function of logits (B, C) and classes (B,)."""
        from functools import partial

        from torch.nn.functional import cross_entropy

        if label_smoothing == 0:
            return cross_entropy
        return partial(cross_entropy, label_smoothing=label_smoothing)


class BinaryCrossEntropy(Loss):
    """Cross-entropy of two classes with one output: the logit of the second class.

        loss = -log(sigmoid(z)) if the second class is true, else -log(1 - sigmoid(z))

    Source: the chapter's binary classifiers; the sigmoid is inside, nets end in a logit.
    Keras: binary_crossentropy with from_logits. PyTorch: binary_cross_entropy_with_logits.
    """

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    one_output: ClassVar[bool] = True

    def build(self, label_smoothing: float = 0.0) -> "Criterion":
        """Returns the function of logits (B, 1) and classes (B,), 0 or 1."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        def loss(logits: "Tensor", classes: "Tensor") -> "Tensor":
            wanted = classes.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
            return binary_cross_entropy_with_logits(logits[:, 0], wanted)

        return loss


class MeanSquaredError(Loss):
    """The mean squared difference of output and target.

        loss = mean((output - target)²), in units of the target's deviation over the training split

    Source: the chapter's regressors.
    Keras and PyTorch: the same, on whatever targets they are given; here these are standardized.
    """

    name: Literal["mse"] = "mse"

    def build(self, label_smoothing: float = 0.0) -> "Criterion":
        """Returns the function of outputs and targets of one shape."""
        from torch.nn.functional import mse_loss

        return mse_loss


class MeanAbsoluteErrorLoss(Loss):
    """The mean absolute difference of output and target: a few wild targets matter less.

        loss = mean(|output - target|), in units of the target's deviation over the training split

    Source: Laplace, 1774; the chapter before, where targets have outliers.
    Keras and PyTorch: the same, on whatever targets they are given; here these are standardized.
    """

    name: Literal["mae"] = "mae"

    def build(self, label_smoothing: float = 0.0) -> "Criterion":
        """Returns the function of outputs and targets of one shape."""
        from torch.nn.functional import l1_loss

        return l1_loss


class Huber(Loss):
    """Squared for small differences, straight for large ones.

        loss = mean(e² / 2 where |e| <= delta, else delta * (|e| - delta / 2)),  e = output - target

    Source: Huber, 1964.
    Keras and PyTorch: the same, delta 1; here in units of the target's deviation.
    """

    name: Literal["huber"] = "huber"
    delta: Positive = 1.0
    """Where the square turns into a straight line, in deviations of the target."""

    def build(self, label_smoothing: float = 0.0) -> "Criterion":
        """Returns the function of outputs and targets of one shape."""
        from functools import partial

        from torch.nn.functional import huber_loss

        return partial(huber_loss, delta=self.delta)
