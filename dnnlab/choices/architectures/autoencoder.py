"""The net that gives its inputs back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, Strict

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


class Autoencoder(Architecture):
    """Learns to give its inputs back through a narrow layer, without looking at any label.

        inputs -> hidden layers -> codings (the last of `hidden`) -> the same layers back -> inputs

    With `dropout: {where: input}` it learns to clean: its targets are the inputs as they were.
    Targets are the standardized inputs, which loss and metrics refer to.
    Source: Hinton and Salakhutdinov, 2006; the chapter's unsupervised pretraining.
    Keras and PyTorch: none; a model whose targets are its inputs.
    """

    name: Literal["autoencoder"] = "autoencoder"
    reconstructs: ClassVar[bool] = True
    hidden: Annotated[
        tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False), Field(min_length=1)
    ]
    """The encoder's layers, the last one being the codings; the decoder mirrors them."""
    use_bias: Annotated[bool | Auto, OrAuto()] = "auto"
    """auto: everywhere but right before a batch normalization, whose beta does the bias's work."""
    output: OutputLayer = OutputLayer()
    """Settings of the output layer."""

    def resolved(self, settings: LayerSettings) -> Self:
        """Returns it with every `auto` replaced: initializers by activation, biases by place."""
        update = {
            "hidden": tuple(layer.resolved(settings, self.use_bias) for layer in self.hidden),
            "output": self.output.resolved(),
            "use_bias": self.use_bias is not False,
        }
        return self.model_copy(update=update)

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the encoder's layers, then the decoder's."""
        encoder: list[Entry] = [
            (("architecture", "hidden", index), entry, "dense", entry.units)
            for index, entry in enumerate(self.hidden)
        ]
        return layers_of([*encoder, *encoder[-2::-1]], settings, use_bias=self.use_bias)

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net; outputs are the inputs as one vector."""
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
