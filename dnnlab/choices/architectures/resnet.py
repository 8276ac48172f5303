"""Nets with skip connections."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Strict, model_validator

from dnnlab.choices.architectures import images_needed
from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import (
    ConvolutionalLayer,
    DenseLayer,
    Entry,
    Layer,
    LayerEntry,
    LayerSettings,
    MostLayers,
    MostPixels,
    MostUnits,
    layers_of,
)
from dnnlab.choices.architectures.stack import Head, Stack, Window, nothing_left, shrinking
from dnnlab.choices.datasets import Signature
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.scaling import AutoInitializer
from dnnlab.spec import Conflict, Shorthand

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.kernels.network import Network


class ResidualBlock(LayerEntry):
    """One entry of `blocks`: layers with a connection past them, or `repeat` such blocks."""

    units: MostUnits | None = None
    """Units of each layer, for a dense block."""
    filters: MostUnits | None = None
    """Feature maps of each layer, for a convolutional block."""
    depth: MostLayers = 2
    """Layers that the connection skips."""
    kernel: MostPixels = 3
    """Side of the windows of a convolutional block: an odd number."""
    stride: MostPixels = 1
    """Stride of the first convolution of the first of these blocks: 2 halves height and width."""

    @property
    def width(self) -> int:
        """Units or filters."""
        return self.filters or self.units or 0

    @property
    def count(self) -> int:
        """How many layers it stands for."""
        return self.repeat * self.depth

    @model_validator(mode="after")
    def _dense_or_convolutional(self) -> Self:
        if (self.units is None) == (self.filters is None):
            raise ValueError("give units for a dense block, or filters for a convolutional one")
        if self.units is not None and (self.kernel, self.stride) != (3, 1):
            raise ValueError("a dense block has no kernel and no stride")
        if self.kernel % 2 == 0:
            raise ValueError("kernel: the connection past a block needs an odd number")
        return self


class ResNet(Layered):
    """Blocks of layers with connections past them, so that gradients reach the first ones.

        block: y = activation(x + branch(x));   branch: layer -> activation -> layer

    Where a block changes the shape, a convolution of window 1 (or a dense layer) does so on the
    way past it. Normalization before the activation stands before the sum, after it behind it.
    Source: He, Zhang, Ren and Sun, 2015, 'Deep residual learning', section 3; with `initializer:
    fixup` and no normalization Zhang, Dauphin and Ma, 2019.
    Keras and PyTorch: none of free shape; `torchvision: resnet18` is one of fixed shape.
    """

    name: Literal["resnet"] = "resnet"
    has_branches: ClassVar[bool] = True
    stem: Annotated[ConvolutionalLayer, Shorthand("filters")] | None = None
    """A convolution before the blocks; null for none."""
    blocks: Annotated[tuple[ResidualBlock, ...], Strict(False)]
    """The blocks, from the inputs to the outputs; dense ones behind convolutional ones."""
    head: Head = "average"
    """What becomes of the last feature maps, before a dense block or the output: the average of
    each map, or all their numbers."""
    hidden: Annotated[tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False)] = ()
    """Dense layers behind the blocks."""

    @model_validator(mode="after")
    def _convolutions_come_first(self) -> Self:
        kinds = [block.units is not None for block in self.blocks]
        if kinds != sorted(kinds):
            raise ValueError("a convolutional block cannot follow a dense one")
        return self

    @property
    def _convolutional(self) -> bool:
        return self.stem is not None or any(block.filters for block in self.blocks)

    def resolved(self, settings: LayerSettings) -> Self:
        """Returns it with every `auto` replaced; with fixup the output's kernel begins at 0."""
        output = self.output
        fixup = settings.initializer.rescales_branches
        if fixup and isinstance(output.initializer, AutoInitializer):
            zeros = output.model_copy(update={"initializer": Initializer.named("zeros")})
            return super(ResNet, self.model_copy(update={"output": zeros})).resolved(settings)
        return super().resolved(settings)

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields one layer for the stem, for each layer of each block, for each dense layer."""
        entries: list[Entry] = []
        if self.stem is not None:
            entries.append((("architecture", "stem"), self.stem, "convolution"))
        for index, block in enumerate(self.blocks):
            place = ("architecture", "blocks", index)
            for _ in range(block.repeat * block.depth):
                kind: Literal["dense", "convolution"] = "convolution" if block.filters else "dense"
                once = block.model_copy(update={"repeat": 1})
                entries.append((place, once, kind))
        entries += entries_of("hidden", self.hidden, "dense")
        for layer in layers_of(entries, settings, use_bias=self.use_bias):
            yield replace(layer, plain="blocks" not in layer.path)

    def conflicts(self, settings: LayerSettings) -> Iterator[Conflict]:
        """Yields what fixup cannot be together with, and what the output cannot have."""
        yield from super().conflicts(settings)
        if settings.initializer.rescales_branches:
            for layer in self.layers(settings):
                if layer.normalization.position is not None:
                    text = "fixup is for residual nets without normalization: normalization: none"
                    yield layer.place("normalization"), text
                    return

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what does not fit the data."""
        if self._convolutional:
            yield from images_needed(self.name, signature)
        if self.stem is not None and len(signature.input_shape) > 1:
            before = signature.input_shape[-2:]
            if any(min(sizes) < 1 for sizes in shrinking(self.stem, before)):
                yield ("architecture", "stem"), nothing_left(before)

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net: conv1, relu1, block1 (body.conv2, ..., shortcut), relu3, ..., output."""
        import torch

        with torch.device("meta"):
            stack = Stack(signature.input_shape)
            if self._convolutional:
                stack.images()
            else:
                stack.flatten()
            stack.inputs(settings)
            layers = enumerate(self.layers(settings), start=1)
            if self.stem is not None:
                stack.convolutions(self.stem, layers)
            branches = sum(block.repeat for block in self.blocks)
            number = 0
            for block in self.blocks:
                for repeat in range(block.repeat):
                    number += 1
                    chosen = [next(layers) for _ in range(block.depth)]
                    stride = block.stride if repeat == 0 else 1
                    _Branch(block, stride, branches, self.head).put_on(stack, number, chosen)
            stack.one_vector(self.head)
            stack.hidden(layers)
            stack.output(signature.num_outputs, self.output, settings)
        return stack.network()


class _Branch:
    """One residual block under construction."""

    def __init__(self, block: ResidualBlock, stride: int, branches: int, head: Head) -> None:
        self.block = block
        self.head = head
        self.stride = stride
        self.branches = branches
        """In the whole net: fixup makes the first weights smaller the more there are."""

    def put_on(self, stack: Stack, number: int, layers: list[tuple[int, Layer]]) -> None:
        """Adds the block on top of a stack, its last activation included."""
        from dnnlab.kernels.blocks import Residual

        if self.block.units is not None:
            stack.one_vector(self.head)
        body = Stack(stack.shape)
        last_number, last = layers[-1]
        for position, (place, layer) in enumerate(layers):
            self._sums(body, position, place, layer)
            if layer is not last:
                self._shift(body, f"shift{place}b", layer)
                body.after_the_sums(place, layer)
        if last.normalization.position == "before_activation":
            body.normalization(f"norm{last_number}", last.normalization)
        self._scale(body, last)
        shortcut = self._shortcut(stack.shape, body.shape, last)
        part = Residual(_sequence(body), _sequence(shortcut))
        stack.add_stacks(f"block{number}", part, shape=body.shape, body=body, shortcut=shortcut)
        stack.activation(f"{last.activation.name}{last_number}", last)
        if last.normalization.position == "after_activation":
            stack.normalization(f"norm{last_number}", last.normalization)
        stack.dropout(f"dropout{last_number}", last)

    def _sums(self, body: Stack, position: int, place: int, layer: Layer) -> None:
        first = layer.initializer.in_branch(position, self.block.depth, self.branches)
        self._shift(body, f"shift{place}a", layer)
        if self.block.units is not None:
            body.dense(f"dense{place}", layer, first)
        else:
            window = Window(self.block.kernel, self.stride if position == 0 else 1, same=True)
            body.convolution(f"conv{place}", window, layer, first)

    def _shift(self, body: Stack, name: str, layer: Layer) -> None:
        from dnnlab.kernels.blocks import Shift
        from dnnlab.kernels.network import zeros

        if layer.initializer.rescales_branches:
            body.add(name, Shift(), {"bias": zeros})

    def _scale(self, body: Stack, layer: Layer) -> None:
        from dnnlab.kernels.blocks import Scale
        from dnnlab.kernels.network import ones

        if layer.initializer.rescales_branches:
            body.add("scale", Scale(), {"weight": ones})
            self._shift(body, "shift", layer)

    def _shortcut(self, before: tuple[int, ...], after: tuple[int, ...], layer: Layer) -> Stack:
        """Returns the way past the branch: nothing where the shape stays."""
        way = Stack(before)
        if before == after:
            return way
        if self.block.units is not None:
            way.dense("dense", layer)
        else:
            way.convolution("conv", Window(1, self.stride, same=True), layer)
        if layer.normalization.position == "before_activation":
            way.normalization("norm", layer.normalization)
        return way


def _sequence(stack: Stack) -> "nn.Module":
    from torch import nn

    return nn.Sequential(stack.parts) if stack.parts else nn.Identity()
