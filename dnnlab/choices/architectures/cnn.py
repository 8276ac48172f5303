"""The sequential convolutional net."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Strict

from dnnlab.choices.architectures import images_needed
from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import (
    ConvolutionalLayer,
    DenseLayer,
    Layer,
    LayerSettings,
    layers_of,
)
from dnnlab.choices.architectures.stack import Head, Stack, nothing_left, shrinking
from dnnlab.choices.datasets import Signature
from dnnlab.spec import Conflict, Shorthand

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class Cnn(Layered):
    """Convolutions and poolings one after the other, then dense layers, on images.

        convolution -> [normalization] -> activation -> [normalization] -> [pooling] -> [dropout]

    Source: LeCun, Bottou, Bengio and Haffner, 1998, section 2.
    Keras: a Sequential of Conv2D, MaxPooling2D, Flatten and Dense; its `same` pads unevenly where
    a stride is above 1. PyTorch: an nn.Sequential of nn.Conv2d and so on.
    """

    name: Literal["cnn"] = "cnn"
    convolutions: Annotated[
        tuple[Annotated[ConvolutionalLayer, Shorthand("filters")], ...], Strict(False)
    ]
    """The convolutions: numbers of filters, or mappings with filters, kernel, pool and so on."""
    head: Head = "flatten"
    """What becomes of the last feature maps: all their numbers, or the average of each map."""
    hidden: Annotated[tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False)] = ()
    """Dense layers behind the convolutions."""

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the convolutions, then the dense layers."""
        entries = entries_of("convolutions", self.convolutions, "convolution")
        entries += entries_of("hidden", self.hidden, "dense")
        return layers_of(entries, settings, use_bias=self.use_bias)

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what does not fit the images: no images at all, or windows larger than they."""
        yield from images_needed(self.name, signature)
        sizes = signature.input_shape[-2:] if len(signature.input_shape) > 1 else ()
        for index, entry in enumerate(self.convolutions):
            before = sizes
            for sizes in shrinking(entry, before):
                if min(sizes, default=1) < 1:
                    yield ("architecture", "convolutions", index), nothing_left(before)
                    return

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net: conv1, relu1, pool1, conv2, ..., dense4, relu4, output."""
        import torch

        with torch.device("meta"):
            stack = Stack(signature.input_shape)
            stack.images()
            stack.inputs(settings)
            layers = enumerate(self.layers(settings), start=1)
            for entry in self.convolutions:
                stack.convolutions(entry, layers)
            stack.one_vector(self.head)
            stack.hidden(layers)
            stack.output(signature.num_outputs, self.output, settings)
        return stack.network()
