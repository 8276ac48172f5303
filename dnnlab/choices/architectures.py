"""Architectures: which layers a net has and how they are joined."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from dnnlab.choices.activations import Activation
from dnnlab.choices.datasets import Signature
from dnnlab.choices.initializers import AutoInitializer, GlorotUniform, Initializer
from dnnlab.choices.normalizations import BatchNormalization, Normalization
from dnnlab.choices.regularizers import Dropout
from dnnlab.spec import Auto, Family, NonNegative, OrAuto, Positive, Shorthand, Spec

if TYPE_CHECKING:
    from torch import nn

    from dnnlab.kernels.network import Fill, Kernel, Network

# More layers than this are a typing error: the deepest nets trained have 10,000.
MostLayers = Annotated[int, Field(ge=1, le=20_000)]
MostUnits = Annotated[int, Field(ge=1, le=10_000_000)]


@dataclass(frozen=True)
class LayerSettings:
    """What every layer of a net has unless its own entry says otherwise."""

    activation: Activation
    initializer: Initializer
    normalization: Normalization
    dropout: Dropout | None
    l2: float
    max_norm: float | None


class DenseLayer(Spec):
    """One entry of `hidden`: a dense layer, or several alike. A number alone is its units."""

    units: MostUnits
    """Neurons of the layer."""
    repeat: MostLayers = 1
    """How many such layers follow each other."""
    activation: Activation | None = None
    """This layer's own activation; null for the experiment's."""
    initializer: Initializer | None = None
    """This layer's own initializer; null for the experiment's."""
    normalization: Normalization | None = None
    """This layer's own normalization; null for the experiment's."""
    dropout: Annotated[Dropout, Shorthand("rate")] | None = None
    """Dropout after this layer, 0 for none; null for the experiment's."""
    l2: NonNegative | None = None
    """This layer's own l2; null for the experiment's."""
    max_norm: Positive | None = None
    """This layer's own max_norm; null for the experiment's."""
    use_bias: bool | None = None
    """This layer's own use_bias; null for the architecture's."""

    @model_validator(mode="after")
    def _only_what_a_layer_can_have(self) -> Self:
        normalization, dropout = self.normalization, self.dropout
        if isinstance(normalization, BatchNormalization) and normalization.input:
            raise ValueError(
                "normalization.input is of the whole net: it belongs to the top-level normalization"
            )
        if dropout is not None and dropout.where.layers != "all":
            raise ValueError("a layer's own dropout stands after that layer; dropout.where cannot")
        return self


class OutputLayer(Spec):
    """The last layer: one unit per class, or one for a number. No activation, no dropout."""

    initializer: Initializer = AutoInitializer()
    """auto is glorot_uniform."""
    l2: NonNegative | None = None
    """The output layer's own l2; null for the experiment's."""
    max_norm: Positive | None = None
    """The output layer's own max_norm; null for the experiment's."""
    use_bias: bool = True
    """Whether the outputs have a bias."""


class Mlp(Spec):
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
        output = self.output
        if isinstance(output.initializer, AutoInitializer):
            output = output.model_copy(update={"initializer": GlorotUniform()})
        hidden = tuple(self._resolved_layer(layer, settings) for layer in self.hidden)
        use_bias = True if self.use_bias == "auto" else self.use_bias
        return self.model_copy(update={"hidden": hidden, "output": output, "use_bias": use_bias})

    def _resolved_layer(self, layer: DenseLayer, settings: LayerSettings) -> DenseLayer:
        """A layer's own activation brings its own initializer, where that is auto."""
        update: dict[str, object] = {}
        inherits_auto = layer.initializer is None and isinstance(
            settings.initializer, AutoInitializer
        )
        if isinstance(layer.initializer, AutoInitializer) or (inherits_auto and layer.activation):
            update["initializer"] = (layer.activation or settings.activation).initializer()
        normalization = layer.normalization or settings.normalization
        if self.use_bias == "auto" and layer.use_bias is None and _comes_first(normalization):
            update["use_bias"] = False
        return layer.model_copy(update=update) if update else layer

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net, without memory: inputs (B, *input_shape), outputs (B, num_outputs).

        Layers are named by their order: dense1, norm1, relu1, dropout1, dense2, ..., output.
        """
        import math

        import torch

        with torch.device("meta"):
            stack = _Stack(math.prod(signature.input_shape))
            stack.flatten()
            self._inputs(stack, settings)
            layers = list(self._layers())
            for index, layer in enumerate(layers):
                self._hidden(stack, settings, layer, index, len(layers))
            stack.dense(
                "output",
                signature.num_outputs,
                initializer=self.output.initializer,
                use_bias=self.output.use_bias,
                l2=settings.l2 if self.output.l2 is None else self.output.l2,
                max_norm=self.output.max_norm or settings.max_norm,
            )
        return stack.network()

    def _layers(self) -> Iterator[DenseLayer]:
        for layer in self.hidden:
            for _ in range(layer.repeat):
                yield layer

    def _inputs(self, stack: "_Stack", settings: LayerSettings) -> None:
        normalization = settings.normalization
        if isinstance(normalization, BatchNormalization) and normalization.input:
            stack.normalization("input_norm", normalization)
        if settings.dropout is not None and settings.dropout.where.on_input():
            stack.add("input_dropout", settings.dropout.build())

    def _hidden(
        self, stack: "_Stack", settings: LayerSettings, layer: DenseLayer, index: int, total: int
    ) -> None:
        number = index + 1
        activation = layer.activation or settings.activation
        normalization = layer.normalization or settings.normalization
        batch = normalization if isinstance(normalization, BatchNormalization) else None
        before = _comes_first(normalization)
        bias = self.use_bias if layer.use_bias is None else layer.use_bias
        assert bias != "auto", "auto is resolved while reading"
        stack.dense(
            f"dense{number}",
            layer.units,
            initializer=layer.initializer or settings.initializer,
            use_bias=bias,
            l2=settings.l2 if layer.l2 is None else layer.l2,
            max_norm=layer.max_norm or settings.max_norm,
        )
        if batch is not None and before:
            stack.normalization(f"norm{number}", batch)
        stack.add(f"{activation.name}{number}", activation.build())
        if batch is not None and not before:
            stack.normalization(f"norm{number}", batch)
        dropout = layer.dropout
        if dropout is None and settings.dropout and settings.dropout.where.on_hidden(index, total):
            dropout = settings.dropout
        if dropout is not None and dropout.rate > 0:
            stack.add(f"dropout{number}", dropout.build())


def _comes_first(normalization: Normalization) -> bool:
    """Whether a layer's normalization stands between its weighted sum and its activation."""
    if not isinstance(normalization, BatchNormalization):
        return False
    return normalization.place == "before_activation"


class _Stack:
    """A net under construction, layer upon layer."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.parts: OrderedDict[str, nn.Module] = OrderedDict()
        self.initial: dict[str, Fill] = {}
        self.kernels: list[Kernel] = []

    def add(self, name: str, part: "nn.Module") -> None:
        self.parts[name] = part

    def flatten(self) -> None:
        from torch import nn

        self.add("flatten", nn.Flatten())

    def dense(
        self,
        name: str,
        units: int,
        *,
        initializer: Initializer,
        use_bias: bool,
        l2: float,
        max_norm: float | None,
    ) -> None:
        from torch import nn

        from dnnlab.kernels.network import Kernel, zeros

        assert not isinstance(initializer, AutoInitializer), "auto is resolved while reading"
        self.add(name, nn.Linear(self.width, units, bias=use_bias))
        self.initial[f"{name}.weight"] = initializer.build()
        if use_bias:
            self.initial[f"{name}.bias"] = zeros
        self.kernels.append(Kernel(f"{name}.weight", l2, max_norm))
        self.width = units

    def normalization(self, name: str, normalization: BatchNormalization) -> None:
        from dnnlab.kernels.network import ones, zeros

        self.add(name, normalization.build(self.width))
        self.initial |= {
            f"{name}.weight": ones,
            f"{name}.bias": zeros,
            f"{name}.running_mean": zeros,
            f"{name}.running_var": ones,
        }

    def network(self) -> "Network":
        from torch import nn

        from dnnlab.kernels.network import Network

        return Network(nn.Sequential(self.parts), self.initial, tuple(self.kernels))


Architecture = Annotated[Mlp, Family("architecture")]
