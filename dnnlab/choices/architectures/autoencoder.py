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
from dnnlab.spec import Shorthand

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class Autoencoder(Layered):
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

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the encoder's layers, then the decoder's."""
        encoder: list[Entry] = [
            (place, layer.model_copy(update={"repeat": 1}), kind)
            for place, layer, kind in entries_of("hidden", self.hidden, "dense")
            for _ in range(layer.repeat)
        ]
        return layers_of([*encoder, *encoder[-2::-1]], settings, use_bias=self.use_bias)

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net; outputs are the inputs as one vector."""
        import torch

        with torch.device("meta"):
            stack = Stack(signature.input_shape)
            stack.flatten()
            stack.inputs(settings)
            stack.hidden(enumerate(self.layers(settings), start=1))
            stack.output(signature.num_outputs, self.output, settings)
        return stack.network()
