"""The plain stack of dense layers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Strict

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import (
    DenseLayer,
    Entry,
    Layer,
    LayerSettings,
    OutputLayer,
    layers_of,
)
from dnnlab.choices.architectures.stack import Stack
from dnnlab.choices.datasets import Signature
from dnnlab.spec import Auto, OrAuto, Shorthand

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class Mlp(Architecture):
    """A plain stack of dense layers (multilayer perceptron); inputs of any shape are flattened.

        hidden layer: dense -> [normalization] -> activation -> [normalization] -> [dropout]

    Source: the chapter's nets.
    Keras: a Sequential of Dense layers, the same order. PyTorch: an nn.Sequential of nn.Linear.
    """

    name: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False)]
    """The hidden layers: numbers of units, or mappings with units, repeat and own settings."""
    use_bias: Annotated[bool | Auto, OrAuto()] = "auto"
    """auto: everywhere but right before a batch normalization, whose beta does the bias's work."""
    output: OutputLayer = OutputLayer()
    """Settings of the output layer."""

    def resolved(self, settings: LayerSettings) -> Self:
        """Returns it with every `auto` replaced: initializers by activation, biases by place."""
        hidden = tuple(layer.resolved(settings, self.use_bias) for layer in self.hidden)
        update = {
            "hidden": hidden,
            "output": self.output.resolved(),
            "use_bias": self.use_bias is not False,
        }
        return self.model_copy(update=update)

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the hidden layers."""
        entries: list[Entry] = [
            (("architecture", "hidden", index), entry, "dense", entry.units)
            for index, entry in enumerate(self.hidden)
        ]
        return layers_of(entries, settings, use_bias=self.use_bias)

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net; layers are named dense1, norm1, relu1, dropout1, dense2, ..., output."""
        import torch

        with torch.device("meta"):
            stack = Stack(signature.input_shape)
            stack.flatten()
            stack.inputs(settings)
            for number, layer in enumerate(self.layers(settings), start=1):
                stack.dense(f"dense{number}", layer)
                stack.after_the_sums(number, layer)
            stack.output(signature.num_outputs, self.output, settings)
        return stack.network()
