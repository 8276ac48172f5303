"""Architectures: which layers a net has and how they are joined.

To add one: write its class in a file of this folder and name it in `members`. `layers.py` has the
settings that a layer can have, `stack.py` puts layers on each other.
"""

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Self

from dnnlab.choices.architectures.layers import Layer, LayerSettings
from dnnlab.choices.datasets import Signature
from dnnlab.spec import Choice

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network

Conflict = tuple[tuple[str | int, ...], str]
"""Where in the config something cannot be, and why."""


class Architecture(Choice):
    """What every architecture can do. Abstract."""

    family: ClassVar[str] = "architecture"
    members: ClassVar[dict[str, str]] = {
        "mlp": "mlp.Mlp",
    }
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

    @abstractmethod
    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net, without memory: inputs (B, *input_shape), outputs (B, num_outputs)."""
