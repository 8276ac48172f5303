"""A net under construction, layer upon layer."""

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dnnlab.choices.architectures.layers import Layer, LayerSettings, OutputLayer
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.normalizations import Normalization

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.kernels.network import Fill, Kernel, Network


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

    def inside(self, shape: tuple[int, ...]) -> "Stack":
        """Returns an empty stack for the inside of a part, to be added by `add_stack`."""
        return Stack(shape)

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

    def dense(self, name: str, units: int, layer: Layer) -> None:
        """Adds the weighted sums of a dense layer."""
        from torch import nn

        part = nn.Linear(self.shape[0], units, bias=layer.use_bias)
        self._weighted(name, part, layer, layer.initializer)
        self.shape = (units,)

    def _weighted(
        self, name: str, part: "nn.Module", layer: Layer, initializer: Initializer
    ) -> None:
        from dnnlab.kernels.network import Kernel

        initial = {"weight": initializer.build()}
        if layer.use_bias:
            initial["bias"] = layer.bias_initializer.build()
        self.add(name, part, initial)
        self.kernels.append(Kernel(f"{name}.weight", layer.l1, layer.l2, layer.max_norm))

    def after_the_sums(self, number: int | str, layer: Layer) -> None:
        """Adds [normalization] -> activation -> [normalization] -> [dropout]."""
        if layer.normalization.position == "before_activation":
            self.normalization(f"norm{number}", layer.normalization)
        self.activation(f"{layer.activation.name}{number}", layer)
        if layer.normalization.position == "after_activation":
            self.normalization(f"norm{number}", layer.normalization)
        if layer.dropout is not None and layer.dropout.kind != "recurrent":
            self.add(f"dropout{number}", layer.dropout.build(spatial=self.spatial))

    def activation(self, name: str, layer: Layer) -> None:
        """Adds an activation, with its parameters if it has some."""
        activation = layer.activation
        self.add(name, activation.build(self.shape[0]), activation.initial())

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
