"""The settings of one layer: the net's own, and what a layer's entry says otherwise."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from dnnlab.choices.activations import Activation
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.scaling import AutoInitializer
from dnnlab.choices.normalizations import Normalization
from dnnlab.choices.regularizers import Dropout
from dnnlab.spec import Auto, Conflict, NonNegative, Positive, Shorthand, Spec

# More layers than this are a typing error: the deepest nets trained have 10,000.
MOST_LAYERS = 20_000
MostLayers = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
MostUnits = Annotated[int, Field(ge=1, le=10_000_000)]
MostPixels = Annotated[int, Field(ge=1, le=10_000)]

Kind = Literal["dense", "convolution", "recurrent"]

NO_FAN = "{} follows from a layer's inputs and outputs; a bias has none: zeros, constant"


def _not_of_one_layer(initializer: Initializer) -> Initializer:
    if initializer.rescales_branches:
        raise ValueError(
            f"{initializer.name} is of the whole net: it belongs to the top-level initializer"
        )
    return initializer


OwnInitializer = Annotated[Initializer, AfterValidator(_not_of_one_layer)]
"""The initializer of one layer."""


@dataclass(frozen=True)
class LayerSettings:
    """What every layer of a net has unless its own entry says otherwise."""

    activation: Activation
    initializer: Initializer
    bias_initializer: Initializer
    normalization: Normalization
    dropout: Dropout | None
    l1: float
    l2: float
    max_norm: float | None


@dataclass(frozen=True)
class Layer:
    """One hidden layer with all its settings, those of its own entry and those of the net."""

    path: tuple[str | int, ...]
    """Where its entry stands in the config."""
    kind: Kind
    width: int
    """Units, or filters."""
    plain: bool
    """Whether it stands in a plain stack: no connection skips it."""
    own: frozenset[str]
    """Which of the settings below its own entry gives."""
    activation: Activation
    initializer: Initializer
    bias_initializer: Initializer
    normalization: Normalization
    dropout: Dropout | None
    """What drops its outputs, if something does."""
    l1: float
    l2: float
    max_norm: float | None
    use_bias: bool

    def place(self, setting: str) -> tuple[str | int, ...]:
        """Returns where in the config a setting of this layer comes from."""
        if setting in self.own:
            return (*self.path, setting)
        if setting == "use_bias":
            return ("architecture", "use_bias")
        regularizers = ("dropout", "l1", "l2", "max_norm")
        return ("regularization", setting) if setting in regularizers else (setting,)


class LayerEntry(Spec):
    """What the entry of a layer may say otherwise than the net. Abstract."""

    repeat: MostLayers = 1
    """How many such layers follow each other."""
    activation: Activation | None = None
    """This layer's own activation; null for the experiment's."""
    initializer: OwnInitializer | None = None
    """This layer's own initializer; null for the experiment's."""
    bias_initializer: Initializer | None = None
    """This layer's own bias_initializer; null for the experiment's."""
    normalization: Normalization | None = None
    """This layer's own normalization; null for the experiment's."""
    dropout: Annotated[Dropout, Shorthand("rate")] | None = None
    """Dropout after this layer, 0 for none; null for the experiment's."""
    l1: NonNegative | None = None
    """This layer's own l1; null for the experiment's."""
    l2: NonNegative | None = None
    """This layer's own l2; null for the experiment's."""
    max_norm: Positive | None = None
    """This layer's own max_norm; null for the experiment's."""
    use_bias: bool | None = None
    """This layer's own use_bias; null for the architecture's."""

    @model_validator(mode="after")
    def _only_what_a_layer_can_have(self) -> Self:
        normalization, dropout = self.normalization, self.dropout
        if normalization is not None and normalization.on_input:
            raise ValueError(
                "normalization.input is of the whole net: it belongs to the top-level normalization"
            )
        if dropout is not None and dropout.where.layers != "all":
            raise ValueError("a layer's own dropout stands after that layer; dropout.where cannot")
        return self

    @property
    @abstractmethod
    def width(self) -> int:
        """Units, or filters."""

    @property
    def count(self) -> int:
        """How many layers it stands for."""
        return self.repeat

    def resolved(self, settings: LayerSettings, use_bias: bool | Auto) -> Self:
        """Returns it with every `auto` replaced: initializers by activation, biases by place.

        A layer's own activation brings its own initializer, where that is auto.
        """
        update: dict[str, object] = {}
        inherits_auto = self.initializer is None and isinstance(
            settings.initializer, AutoInitializer
        )
        if isinstance(self.initializer, AutoInitializer) or (inherits_auto and self.activation):
            update["initializer"] = (self.activation or settings.activation).initializer()
        normalization = self.normalization or settings.normalization
        if use_bias == "auto" and self.use_bias is None and normalization.replaces_bias:
            update["use_bias"] = False
        return self.model_copy(update=update) if update else self


Entry = tuple[tuple[str | int, ...], LayerEntry, Kind]
"""Where the entry of a layer stands, the entry, and what it is."""


def layers_of(
    entries: Sequence[Entry],
    settings: LayerSettings,
    *,
    use_bias: bool | Auto,
    plain: bool = True,
) -> Iterator[Layer]:
    """Yields each layer of these entries, a repeated one as often as it is repeated."""
    total = sum(entry.repeat for _, entry, _ in entries)
    index = 0
    for path, entry, kind in entries:
        for _ in range(entry.repeat):
            dropout = entry.dropout
            if dropout is None and settings.dropout is not None:
                reached = settings.dropout.where.on_hidden(index, total)
                dropout = settings.dropout if reached else None
            yield Layer(
                path=path,
                kind=kind,
                width=entry.width,
                plain=plain,
                own=frozenset(key for key in KEYS if getattr(entry, key) is not None),
                activation=entry.activation or settings.activation,
                initializer=entry.initializer or settings.initializer,
                bias_initializer=entry.bias_initializer or settings.bias_initializer,
                normalization=entry.normalization or settings.normalization,
                dropout=dropout if dropout is not None and dropout.rate > 0 else None,
                l1=settings.l1 if entry.l1 is None else entry.l1,
                l2=settings.l2 if entry.l2 is None else entry.l2,
                max_norm=entry.max_norm or settings.max_norm,
                use_bias=(use_bias is not False) if entry.use_bias is None else entry.use_bias,
            )
            index += 1


KEYS = tuple(key for key in LayerEntry.model_fields if key != "repeat")


class DenseLayer(LayerEntry):
    """One entry of `hidden`: a dense layer, or several alike. A number alone is its units."""

    units: MostUnits
    """Neurons of the layer."""

    @property
    def width(self) -> int:
        """The units."""
        return self.units


class ConvolutionalLayer(LayerEntry):
    """One entry of `convolutions`, or several alike. A number alone is its filters."""

    filters: MostUnits
    """Feature maps of the layer."""
    kernel: MostPixels = 3
    """Side of the window."""
    stride: MostPixels = 1
    """How far the window moves."""
    padding: Literal["same", "valid"] = "same"
    """same: zeros around the inputs, so that stride 1 keeps their size; valid: none."""
    pool: MostPixels | None = None
    """Side of the window that is pooled after the last of these layers; null for no pooling."""
    pooling: Literal["max", "average"] = "max"
    """What is kept of each window."""

    @property
    def width(self) -> int:
        """The filters."""
        return self.filters

    @model_validator(mode="after")
    def _pooling_needs_a_window(self) -> Self:
        if self.pooling == "average" and self.pool is None:
            raise ValueError("pooling: average needs pool, the side of the window")
        return self

    @model_validator(mode="after")
    def _odd_kernels_have_a_middle(self) -> Self:
        if self.padding == "same" and self.kernel % 2 == 0:
            raise ValueError("an even kernel has no middle: it needs padding: valid")
        return self


class OutputLayer(Spec):
    """The last layer: one unit per class, or one for a number. No activation, no dropout."""

    initializer: OwnInitializer = AutoInitializer()
    """auto is glorot_uniform."""
    bias_initializer: Initializer | None = None
    """The output layer's own bias_initializer; null for the experiment's."""
    l1: NonNegative | None = None
    """The output layer's own l1; null for the experiment's."""
    l2: NonNegative | None = None
    """The output layer's own l2; null for the experiment's."""
    max_norm: Positive | None = None
    """The output layer's own max_norm; null for the experiment's."""
    use_bias: bool = True
    """Whether the outputs have a bias."""

    def resolved(self) -> Self:
        """Returns it with `auto` replaced."""
        if not isinstance(self.initializer, AutoInitializer):
            return self
        glorot = Initializer.named("glorot_uniform")
        return self.model_copy(update={"initializer": glorot})

    def without_kernel(self) -> Iterator[Conflict]:
        """Yields what cannot be said of outputs that use another layer's kernel."""
        own = {"l1": self.l1, "l2": self.l2, "max_norm": self.max_norm}
        said = [key for key, value in own.items() if value is not None]
        if self.initializer.name not in ("auto", "glorot_uniform"):
            said.append("initializer")
        for key in said:
            yield ("architecture", "output", key), "the outputs use the first layer's kernel here"
        if not self.use_bias:
            text = "outputs that use the first layer's kernel always have biases of their own"
            yield ("architecture", "output", "use_bias"), text
