"""The plain stack of dense layers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Strict

from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import (
    DenseLayer,
    Layer,
    LayerSettings,
    layers_of,
)
from dnnlab.choices.architectures.stack import Stack
from dnnlab.choices.datasets import Signature
from dnnlab.spec import Shorthand

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class Mlp(Layered):
    """A plain stack of dense layers (multilayer perceptron); inputs of any shape are flattened.

        hidden layer: dense -> [normalization] -> activation -> [normalization] -> [dropout]

    Source: the chapter's nets.
    Keras: a Sequential of Dense layers, the same order. PyTorch: an nn.Sequential of nn.Linear.
    """

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False)]
    """The hidden layers: numbers of units, or mappings with units, repeat and own settings."""

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the hidden layers."""
        entries = entries_of("hidden", self.hidden, "dense")
        return layers_of(entries, settings, use_bias=self.use_bias)

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net; layers are named dense1, norm1, relu1, dropout1, dense2, ..., output."""
        import torch

        with torch.device("meta"):
            stack = Stack(signature.input_shape)
            stack.flatten()
            stack.inputs(settings)
            stack.hidden(enumerate(self.layers(settings), start=1))
            stack.output(signature.num_outputs, self.output, settings)
        return stack.network()
