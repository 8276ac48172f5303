"""Losses: what training makes small. Each is the mean over the batch."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from dnnlab.spec import Family, Spec

if TYPE_CHECKING:
    from torch import Tensor

Task = Literal["classification", "regression"]


class AutoLoss(Spec):
    """Picks by the task of the data: cross_entropy for classes, mse for numbers.

    What was picked is written into the run's config.
    Source: none needed.
    Keras and PyTorch: neither picks.
    """

    name: Literal["auto"] = "auto"


class CrossEntropy(Spec):
    """The negative logarithm of the probability given to the true class.

        loss = -log(softmax(z)[true class])

    Source: the chapter's classifiers; softmax is inside, nets end in logits.
    Keras: sparse_categorical_crossentropy with from_logits. PyTorch: cross_entropy, the same.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    task: ClassVar[Task] = "classification"

    def build(self) -> "Callable[[Tensor, Tensor], Tensor]":
        """Returns the function of logits (B, C) and classes (B,)."""
        from torch.nn.functional import cross_entropy

        return cross_entropy


class MeanSquaredError(Spec):
    """The mean squared difference of output and target.

        loss = mean((output - target)²), in units of the target's deviation over the training split

    Source: the chapter's regressors.
    Keras and PyTorch: the same, on whatever targets they are given; here these are standardized.
    """

    name: Literal["mse"] = "mse"
    task: ClassVar[Task] = "regression"

    def build(self) -> "Callable[[Tensor, Tensor], Tensor]":
        """Returns the function of outputs (B, 1) and targets (B, 1)."""
        from torch.nn.functional import mse_loss

        return mse_loss


Loss = Annotated[AutoLoss | CrossEntropy | MeanSquaredError, Family("loss")]
