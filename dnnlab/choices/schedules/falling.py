"""Schedules that never rise: constant, and those that fall by a formula."""

from typing import Literal

from dnnlab.choices.schedules import Schedule, Span


class Constant(Schedule):
    """The same learning rate at every update.

        lr(t) = lr

    Source: none needed.
    Keras and PyTorch: the same.
    """

    name: Literal["constant"] = "constant"

    def level(self, update: int, span: Span) -> float:
        """Returns 1."""
        return 1.0
