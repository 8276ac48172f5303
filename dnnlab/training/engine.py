"""What an engine is: it applies updates, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Failure:
    """The first thing in a training that was no finite number any more."""

    update: int
    what: str
    """What was not finite, and in which layer."""
    lr: float
    """That of the layer that learns fastest."""
    gradient_norms: list[float]
    """Those of the updates before it, the oldest first."""
    rows: list[int]
    """The rows of the training split in the failing batch."""

    def __str__(self) -> str:
        """What happened, in a sentence."""
        norms = ", ".join(f"{norm:.3g}" for norm in self.gradient_norms[-3:]) or "none"
        return (
            f"update {self.update}: {self.what} is not finite "
            f"(lr {self.lr:g}; gradient norms before it: {norms})"
        )


@dataclass
class Stretch:
    """What was measured in a stretch of updates, one entry per update."""

    losses: list[float] = field(default_factory=list)
    """Mean loss of the batch, dropout on, without penalties."""
    hits: list[int] = field(default_factory=list)
    """How many of the batch were classified rightly; empty for regression."""
    gradient_norms: list[float] = field(default_factory=list)
    """L2 norm of the whole gradient, penalties included, before clipping."""
    sizes: list[int] = field(default_factory=list)
    """Examples in the batch."""
    failure: Failure | None = None
    """If set, the state stands just before the update that failed, still finite."""


class Engine(Protocol):
    """Applies updates to the one state it was made for.

    Between two boundaries nobody looks at the state, so an engine is free to keep it in a form of
    its own. Updates are functions of (state, update number): applying 100 at once or one at a time
    gives the same bits. Between two calls the state may be changed: an update be left out, or a
    checkpoint be loaded into it.
    """

    name: str

    def advance(self, until: int) -> Stretch:
        """Applies updates until `state.step == until`, or until one would not be finite."""
        ...
