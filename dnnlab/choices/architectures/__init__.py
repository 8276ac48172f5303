"""Architectures: which layers a net has and how they are joined.

To add one: write its class in a file of this folder and name it in `members`. `layers.py` has the
settings that a layer can have, `stack.py` puts layers on each other.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Self

from dnnlab.choices.architectures.layers import Layer, LayerSettings
from dnnlab.choices.datasets import Signature
from dnnlab.spec import Choice, Conflict

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class DoesNotFit(ValueError):
    """A net that cannot be built for the data, as only building it shows: where, and why."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


class Architecture(Choice):
    """What every architecture can do. Abstract."""

    family: ClassVar[str] = "architecture"
    members: ClassVar[dict[str, str]] = {
        "mlp": "mlp.Mlp",
        "cnn": "cnn.Cnn",
        "resnet": "resnet.ResNet",
        "wide_and_deep": "wide_and_deep.WideAndDeep",
        "autoencoder": "autoencoder.Autoencoder",
        "rnn": "rnn.Rnn",
        "torchvision": "torchvision.Torchvision",
    }
    has_branches: ClassVar[bool] = False
    """Whether it has residual branches, as fixup needs them."""
    reconstructs: ClassVar[bool] = False
    """Whether the net's targets are its own inputs."""

    @abstractmethod
    def resolved(self, settings: LayerSettings) -> Self:
        """Returns it with every `auto` replaced."""

    @abstractmethod
    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the hidden layers from the inputs to the outputs, each with all its settings."""

    def conflicts(self, settings: LayerSettings) -> Iterator[Conflict]:
        """Yields what cannot be, whatever the data are."""
        yield from ()

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what cannot be for data of this shape."""
        yield from ()

    def normalizes_batches(self, settings: LayerSettings) -> bool:
        """Whether an example's outputs depend on the others of its batch while training."""
        on_input = settings.normalization.on_input
        return on_input or any(
            layer.normalization.over_the_batch for layer in self.layers(settings)
        )

    @abstractmethod
    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net, without memory: inputs (B, *input_shape), outputs (B, num_outputs).

        Raises DoesNotFit.
        """


def images_needed(name: str, signature: Signature) -> Iterator[Conflict]:
    """Yields a conflict if the data are no images."""
    if len(signature.input_shape) == 1:
        text = (
            f"{name} is for images, but an example has {signature.input_shape[0]} numbers in a row"
        )
        yield ("architecture",), text
