"""Pretraining: what a net learns first, where labels are few, so that its layers can be reused.

To add one: write its class in a file of this folder, what torch has no part for in
`kernels/pretraining.py`, and name it in `members`.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import LayerSettings
from dnnlab.choices.datasets import Signature
from dnnlab.choices.losses import Task
from dnnlab.spec import Choice, Conflict

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from dnnlab.kernels.network import Network

Lesson = Callable[["Tensor", "Tensor", "Generator"], "tuple[Tensor, Tensor]"]
"""Inputs (B, ...) and targets of a batch, and a generator of the CPU -> what the net is given
instead, and what it is to say."""


class Pretraining(Choice):
    """What every way of pretraining has. Abstract.

    The layers that are to be reused are those of the experiment's architecture, and have the same
    names; what else a way of pretraining needs stands beside them under other names.
    """

    family: ClassVar[str] = "pretraining"
    members: ClassVar[dict[str, str]] = {
        "autoencoder": "reconstructing.PretrainingAutoencoder",
    }
    task: ClassVar[Task] = "reconstruction"
    """What the net is to do with the lesson: which losses and metrics there are."""
    learns_labels: ClassVar[bool] = False
    """Whether the labels of the examples are looked at."""

    def conflicts(self, architecture: Architecture) -> Iterator[Conflict]:
        """Yields what cannot be, whatever the data are."""
        yield from ()

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what cannot be for data of this shape and task."""
        yield from ()

    @property
    def num_classes(self) -> int:
        """How many classes the lesson has, where it is a classification."""
        return 0

    @abstractmethod
    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the net that learns, without memory. `signature` has the shape of an example of
        the data, and the task and the number of outputs of the lesson.

        Raises DoesNotFit.
        """

    def lesson(self, inputs: "Tensor", targets: "Tensor") -> "Lesson | None":
        """Returns what becomes of a batch, given the whole split that it is of; None: nothing.

        The targets of a reconstruction are its inputs, as vectors.
        """
        return None

    def phases(self, layers: tuple[str, ...]) -> tuple[frozenset[str], ...]:
        """Returns which of the net's layers learn in each phase, all phases being equally long;
        none where all learn from beginning to end.
        """
        return ()
