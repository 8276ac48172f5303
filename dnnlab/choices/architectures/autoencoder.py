"""The net that gives its inputs back."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, Strict

from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import (
    DenseLayer,
    Entry,
    Layer,
    LayerSettings,
    layers_of,
)
from dnnlab.choices.architectures.stack import Stack
from dnnlab.choices.datasets import Signature
from dnnlab.spec import Conflict, Shorthand

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class Autoencoder(Layered):
    """Learns to give its inputs back through a narrow layer, without looking at any label.

        inputs -> hidden layers -> codings (the last of `hidden`) -> the same layers back -> inputs

    With `dropout: {where: input}` it learns to clean: its targets are the inputs as they were.
    Targets are the standardized inputs, which loss and metrics refer to.
    Source: Hinton and Salakhutdinov, 2006; the chapter's unsupervised pretraining.
    Keras and PyTorch: none; a model whose targets are its inputs. Tied kernels: in both a layer of
    one's own that uses another's kernel.
    """

    name: Literal["autoencoder"] = "autoencoder"
    reconstructs: ClassVar[bool] = True
    hidden: Annotated[
        tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False), Field(min_length=1)
    ]
    """The encoder's layers, the last one being the codings; the decoder mirrors them."""
    tied: bool = False
    """The decoder's kernels are the encoder's, transposed; it has always biases, its own.
    Penalties count once, and what says how the decoder's kernels begin has no effect."""

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the encoder's layers, then the decoder's."""
        encoder: list[Entry] = [
            (place, layer.model_copy(update={"repeat": 1}), kind)
            for place, layer, kind in entries_of("hidden", self.hidden, "dense")
            for _ in range(layer.repeat)
        ]
        return layers_of([*encoder, *encoder[-2::-1]], settings, use_bias=self.use_bias)

    def conflicts(self, settings: LayerSettings) -> Iterator[Conflict]:
        """Yields what the output layer cannot have."""
        yield from super().conflicts(settings)
        if self.tied:
            yield from self.output.without_kernel()

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net; outputs are the inputs as one vector."""
        import torch

        with torch.device("meta"):
            stack = Stack(signature.input_shape)
            stack.flatten()
            stack.inputs(settings)
            layers = list(self.layers(settings))
            half = len(layers) // 2 + 1 if self.tied else len(layers)
            stack.hidden(enumerate(layers[:half], start=1))
            for number, layer in enumerate(layers[half:], start=half + 1):
                biases, way = layer.bias_initializer.build(), f"dense{2 * half + 1 - number}"
                stack.transposed(f"dense{number}", way, biases)
                stack.after_the_sums(number, layer)
            if self.tied:
                fill = self.output.bias_initializer or settings.bias_initializer
                stack.transposed("output", "dense1", fill.build())
            else:
                stack.output(signature.num_outputs, self.output, settings)
        return stack.network()
