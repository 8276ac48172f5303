"""The schedule that looks back."""

import math
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from dnnlab.choices.schedules import Plateau, Schedule, Span
from dnnlab.spec import Duration, Epochs, NonNegative, Share


class Performance(Schedule):
    """Lowers the rate whenever the monitored validation metric has stopped improving.

        lr <- factor * lr  when (updates since the best or the last reduction) >= patience

    Source: the chapter's 'performance scheduling'.
    Keras: ReduceLROnPlateau, the same count and absolute min_delta. PyTorch: ReduceLROnPlateau
    waits one evaluation longer and its threshold is relative.
    """

    name: Literal["performance"] = "performance"
    looks_back: ClassVar[bool] = True
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What the rate is multiplied by."""
    patience: Epochs = Duration(epochs=5)
    """How long to wait without a new best."""
    min_delta: NonNegative = 1e-4
    """How much better than the best counts as better, in units of the monitored metric."""
    min_lr_factor: Share = 0.0
    """Never below this share of the optimizer's lr."""

    def level(self, update: int, span: Span) -> float:
        """Returns 1: what this schedule does is in the Plateau's factor."""
        return 1.0

    def observe(self, plateau: Plateau, loss: float, *, step: int, per_epoch: int) -> Plateau:
        """Returns the memory after an evaluation at `step`; `loss` is smaller where better."""
        # A loss that is not finite is no best: it could not be told from none after a resumption.
        if math.isfinite(loss) and (plateau.best is None or loss < plateau.best - self.min_delta):
            return replace(plateau, best=loss, since=step)
        if step - plateau.since < self.patience.in_updates(per_epoch):
            return plateau
        lowered = max(plateau.factor * self.factor, self.min_lr_factor)
        return replace(plateau, factor=lowered, since=step)
