"""A net under construction, layer upon layer."""

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self

from dnnlab.choices.architectures.layers import (
    ConvolutionalLayer,
    Layer,
    LayerSettings,
    OutputLayer,
)
from dnnlab.choices.normalizations import Normalization

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.kernels.network import Fill, Kernel, Network


Pooling = Literal["max", "average"]
Pool = tuple[int, Pooling]
"""The side of the window, and what is kept of it."""
Head = Literal["flatten", "average"]


@dataclass(frozen=True)
class Window:
    """How a convolution moves over its inputs."""

    kernel: int
    stride: int
    same: bool
    """Whether the inputs are padded, so that stride 1 keeps their size; the kernel is odd then."""

    @classmethod
    def of(cls, entry: ConvolutionalLayer) -> Self:
        """Returns the window of an entry's layers."""
        return cls(entry.kernel, entry.stride, entry.padding == "same")

    @property
    def padding(self) -> int:
        """Zeros on each side of the inputs."""
        return self.kernel // 2 if self.same else 0

    def size_after(self, size: int) -> int:
        """Returns height or width of the outputs."""
        return (size + 2 * self.padding - self.kernel) // self.stride + 1


def shrinking(entry: ConvolutionalLayer, sizes: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yields height and width after each of an entry's layers, the last one's pooling included."""
    window = Window.of(entry)
    for step in range(entry.repeat):
        sizes = tuple(window.size_after(size) for size in sizes)
        if step == entry.repeat - 1:
            sizes = tuple(size // (entry.pool or 1) for size in sizes)
        yield sizes


def nothing_left(sizes: tuple[int, ...]) -> str:
    """Returns what to say of windows that are larger than what they are moved over."""
    shown = " x ".join(map(str, sizes))
    return f"nothing is left of {shown} places: fewer poolings or smaller windows"


class Stack:
    """Layers in their order, the shape of what the last one gives, and how their tensors begin.

    To be used on torch's meta device: what is built has no memory.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        """Of one example after the last layer: (features,), or (channels, height, width)."""
        self.parts: OrderedDict[str, nn.Module] = OrderedDict()
        self.initial: dict[str, Fill] = {}
        self.kernels: list[Kernel] = []

    @property
    def spatial(self) -> bool:
        """Whether the last layer gives feature maps."""
        return len(self.shape) == 3

    def add(
        self,
        name: str,
        part: "nn.Module",
        initial: "Mapping[str, Fill] | None" = None,
        *,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        """Puts a module on top; `initial` says how its tensors begin, `shape` what it gives."""
        self.parts[name] = part
        self.initial |= {f"{name}.{key}": fill for key, fill in (initial or {}).items()}
        self.shape = shape or self.shape

    def add_stacks(
        self, name: str, part: "nn.Module", *, shape: tuple[int, ...], **inner: "Stack"
    ) -> None:
        """Puts a module on top that holds other stacks, each under its keyword as its name."""
        self.add(name, part, shape=shape)
        for word, stack in inner.items():
            within = f"{name}.{word}."
            self.initial |= {within + key: fill for key, fill in stack.initial.items()}
            self.kernels += [replace(each, name=within + each.name) for each in stack.kernels]

    def images(self) -> None:
        """Gives grey images their channel."""
        from dnnlab.kernels.blocks import AsImages

        if len(self.shape) == 2:
            self.add("as_images", AsImages(), shape=(1, *self.shape))

    def flatten(self) -> None:
        """Makes one vector of each example."""
        from torch import nn

        self.add("flatten", nn.Flatten(), shape=(math.prod(self.shape),))

    def inputs(self, settings: LayerSettings) -> None:
        """Normalizes and drops the inputs of the net where the settings say so."""
        if settings.normalization.on_input:
            self.normalization("input_norm", settings.normalization)
        dropout = settings.dropout
        if dropout is not None and dropout.where.on_input() and dropout.kind != "recurrent":
            self.add("input_dropout", dropout.build(spatial=self.spatial))

    def dense(self, name: str, layer: Layer, first: "Fill | None" = None) -> None:
        """Adds the weighted sums of a dense layer; `first` fills its kernel, if not as usual."""
        from torch import nn

        part = nn.Linear(self.shape[0], layer.width, bias=layer.use_bias)
        self.shape = (layer.width,)
        self._weighted(name, part, layer, first)

    def transposed(self, name: str, dense: str, biases: "Fill") -> None:
        """Adds the way back through a dense layer: its kernel, transposed, and own biases."""
        from dnnlab.kernels.blocks import Transposed

        part = Transposed(self.parts[dense])
        self.add(name, part, {"bias": biases}, shape=(len(part.bias),))

    def convolution(
        self, name: str, window: Window, layer: Layer, first: "Fill | None" = None
    ) -> None:
        """Adds the weighted sums of a convolution; `first` fills its kernel, if not as usual."""
        from torch import nn

        channels, filters = self.shape[0], layer.width
        part = nn.Conv2d(
            channels,
            filters,
            window.kernel,
            window.stride,
            window.padding,
            bias=layer.use_bias,
        )
        self.shape = (filters, *(window.size_after(size) for size in self.shape[1:]))
        self._weighted(name, part, layer, first)

    def pool(self, name: str, size: int, kind: "Pooling") -> None:
        """Adds a pooling over windows of `size` that do not overlap."""
        from torch import nn

        part = nn.MaxPool2d(size) if kind == "max" else nn.AvgPool2d(size)
        self.add(name, part, shape=(self.shape[0], *(each // size for each in self.shape[1:])))

    def one_vector(self, head: "Head") -> None:
        """Makes one vector of feature maps: all their numbers, or the mean of each."""
        from torch import nn

        if not self.spatial:
            return
        if head == "average":
            self.add("average", nn.AdaptiveAvgPool2d(1), shape=(self.shape[0], 1, 1))
        self.flatten()

    def _weighted(
        self, name: str, part: "nn.Module", layer: Layer, first: "Fill | None" = None
    ) -> None:
        from dnnlab.kernels.network import Kernel

        initial = {"weight": first or layer.initializer.build()}
        if layer.use_bias:
            initial["bias"] = layer.bias_initializer.build()
        self.add(name, part, initial)
        uses = math.prod(self.shape[1:])
        self.kernels.append(Kernel(f"{name}.weight", layer.l1, layer.l2, layer.max_norm, uses))

    def after_the_sums(self, number: int, layer: Layer, pool: "Pool | None" = None) -> None:
        """Adds [normalization] -> activation -> [normalization] -> [pooling] -> [dropout]."""
        if layer.normalization.position == "before_activation":
            self.normalization(f"norm{number}", layer.normalization)
        self.activation(f"{layer.activation.name}{number}", layer)
        if layer.normalization.position == "after_activation":
            self.normalization(f"norm{number}", layer.normalization)
        if pool is not None:
            self.pool(f"pool{number}", *pool)
        self.dropout(f"dropout{number}", layer)

    def dropout(self, name: str, layer: Layer) -> None:
        """Drops what the last layer gives, if the layer's settings say so."""
        if layer.dropout is not None and layer.dropout.kind != "recurrent":
            self.add(name, layer.dropout.build(spatial=self.spatial))

    def activation(self, name: str, layer: Layer) -> None:
        """Adds an activation, with its parameters if it has some."""
        activation = layer.activation
        self.add(name, activation.build(self.shape[0]), activation.initial())

    def hidden(self, layers: "Iterable[tuple[int, Layer]]") -> None:
        """Adds whole dense layers with their numbers: dense1, norm1, relu1, dropout1, dense2 ..."""
        for number, layer in layers:
            self.dense(f"dense{number}", layer)
            self.after_the_sums(number, layer)

    def convolutions(
        self, entry: ConvolutionalLayer, layers: "Iterator[tuple[int, Layer]]"
    ) -> None:
        """Adds an entry's whole layers, taken from `layers`, and its pooling after the last one."""
        for step in range(entry.repeat):
            number, layer = next(layers)
            self.convolution(f"conv{number}", Window.of(entry), layer)
            last = step == entry.repeat - 1
            pool = (entry.pool, entry.pooling) if entry.pool and last else None
            self.after_the_sums(number, layer, pool)

    def normalization(self, name: str, normalization: Normalization) -> None:
        """Adds a normalization of the units or feature maps of the last layer."""
        from dnnlab.kernels.network import ones, zeros

        part = normalization.build(self.shape[0], spatial=self.spatial)
        begin = {"weight": ones, "bias": zeros, "running_mean": zeros, "running_var": ones}
        tensors = [*dict(part.named_parameters()), *dict(part.named_buffers())]
        self.add(name, part, {tensor: begin[tensor] for tensor in tensors})

    def output(self, units: int, output: OutputLayer, settings: LayerSettings) -> None:
        """Adds the output layer."""
        from torch import nn

        from dnnlab.kernels.network import Kernel

        part = nn.Linear(self.shape[0], units, bias=output.use_bias)
        initial = {"weight": output.initializer.build()}
        if output.use_bias:
            initial["bias"] = (output.bias_initializer or settings.bias_initializer).build()
        self.add("output", part, initial, shape=(units,))
        l1 = settings.l1 if output.l1 is None else output.l1
        l2 = settings.l2 if output.l2 is None else output.l2
        max_norm = output.max_norm or settings.max_norm
        self.kernels.append(Kernel("output.weight", l1, l2, max_norm))

    def network(self) -> "Network":
        """Returns the net."""
        from torch import nn

        from dnnlab.kernels.network import Network

        return Network(nn.Sequential(self.parts), self.initial, tuple(self.kernels))
