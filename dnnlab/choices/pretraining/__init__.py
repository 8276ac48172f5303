"""Pretraining: what a net learns first, where labels are few, so that its layers can be reused.

To add one: write its class in a file of this folder and name it in `members`; what torch has no
part for stands in `kernels/`: `lessons.py` where inputs are changed, a file of its own where the
net teaches itself.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, Self

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import LayerSettings
from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.losses import Task
from dnnlab.spec import Choice, Conflict

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from dnnlab.kernels.network import Network

Lesson = Callable[["Tensor", "Tensor", "Tensor", "Generator"], "tuple[Tensor, Tensor]"]
"""Inputs (B, ...) and targets of a batch, the rows (B,) of the split that it is made of, and a
generator of the CPU -> what the net is given instead, and what it is to say."""


class Pretraining(Choice):
    """What every way of pretraining has. Abstract.

    The layers that are to be reused are those of the experiment's architecture, and have the same
    names; what else a way of pretraining needs stands beside them under other names.
    """

    family: ClassVar[str] = "pretraining"
    members: ClassVar[dict[str, str]] = {
        "autoencoder": "reconstructing.PretrainingAutoencoder",
        "masked": "reconstructing.MaskedFeatures",
        "rbm": "machines.BoltzmannMachines",
        "gan": "adversarial.AdversarialNets",
        "rotation": "distinguishing.Rotation",
        "pairs": "distinguishing.Pairs",
    }
    task: ClassVar[Task] = "reconstruction"
    """What the net is to do with the lesson: which losses and metrics there are."""
    learns_labels: ClassVar[bool] = False
    """Whether the labels of the examples are looked at."""
    class_names: ClassVar[tuple[str, ...]] = ()
    """What the net tells apart, where the lesson is a classification of its own."""
    answers_nothing: ClassVar[str] = ""
    """Why the net has no answer for a single example, where it has none."""

    @property
    def measures(self) -> tuple[str, ...] | None:
        """What a net that teaches itself can be monitored by, beside its loss: smaller is better.

        None where the experiment's loss and metrics say what the net is worth.
        """
        return None

    @property
    def num_outputs(self) -> int:
        """How many outputs the lesson needs, where it does not give the inputs back."""
        return len(self.class_names)

    def resolved(self, architecture: Architecture, settings: LayerSettings, data: Dataset) -> Self:
        """Returns it with every `auto` replaced."""
        return self

    def conflicts(
        self, architecture: Architecture, settings: LayerSettings, data: Dataset
    ) -> Iterator[Conflict]:
        """Yields what cannot be, whatever the shape of the data."""
        yield from ()

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what cannot be for data of this shape and task."""
        yield from ()

    @abstractmethod
    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the net that learns, without memory. `signature` has the shape of an example of
        the data, and the task and the number of outputs of the lesson.

        Raises DoesNotFit.
        """

    def given(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of what the net is given for an example of this shape."""
        return shape

    def lesson(self, inputs: "Tensor", targets: "Tensor") -> "Lesson | None":
        """Returns what becomes of a batch, given the whole split that it is of; None: nothing.

        The targets of a reconstruction are its inputs, as vectors.
        """
        return None

    def asked(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Returns those outputs that count, and what they should have been."""
        return outputs, targets

    def phases(self, layers: tuple[str, ...]) -> tuple[frozenset[str], ...]:
        """Returns which of the net's layers learn in each phase, all phases being equally long;
        none where all learn from beginning to end.
        """
        return ()


def from_the_bottom(layers: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """Returns the phases of a mirrored net in which each layer learns with its own way back."""
    half = len(layers) // 2
    return tuple(frozenset({layers[k], layers[-1 - k]}) for k in range(half))


def mlp_needed(name: str, architecture: Architecture) -> Iterator[Conflict]:
    """Yields a conflict if the architecture is no plain stack of dense layers, or an empty one."""
    if architecture.name != "mlp":
        yield ("pretraining",), f"{name} is for the architecture mlp, not {architecture.name}"
    elif not getattr(architecture, "hidden", ()):
        yield ("architecture", "hidden"), f"{name} pretrains hidden layers, and there is none"
