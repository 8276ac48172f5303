"""What all nets have that are described layer by layer."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated, Self

from pydantic import model_validator

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import (
    MOST_LAYERS,
    NO_FAN,
    Entry,
    Kind,
    LayerEntry,
    LayerSettings,
    OutputLayer,
)
from dnnlab.spec import Auto, Conflict, OrAuto


class Layered(Architecture):
    """A net whose layers are entries of its own settings, and whose last is dense. Abstract."""

    use_bias: Annotated[bool | Auto, OrAuto()] = "auto"
    """auto: everywhere but right before a batch normalization, whose beta does the bias's work."""
    output: OutputLayer = OutputLayer()
    """Settings of the output layer."""

    @model_validator(mode="after")
    def _few_enough_layers(self) -> Self:
        listed = [value if isinstance(value, tuple) else (value,) for _, value in self]
        total = sum(each.count for each in chain(*listed) if isinstance(each, LayerEntry))
        if total > MOST_LAYERS:
            raise ValueError(f"{total:,} layers; more than {MOST_LAYERS:,} are a typing error")
        return self

    def resolved(self, settings: LayerSettings) -> Self:
        """Returns it with every `auto` replaced: initializers by activation, biases by place."""
        update: dict[str, object] = {
            "use_bias": self.use_bias is not False,
            "output": self.output.resolved(),
        }
        for name, value in self:
            if isinstance(value, LayerEntry):
                update[name] = value.resolved(settings, self.use_bias)
            elif isinstance(value, tuple) and all(isinstance(each, LayerEntry) for each in value):
                update[name] = tuple(each.resolved(settings, self.use_bias) for each in value)
        return self.model_copy(update=update)

    def conflicts(self, settings: LayerSettings) -> Iterator[Conflict]:
        """Yields what the output layer cannot have."""
        biases = self.output.bias_initializer
        if biases is not None and not biases.fits_biases:
            yield ("architecture", "output", "bias_initializer"), NO_FAN.format(biases.name)


def entries_of(key: str, layers: Sequence[LayerEntry], kind: Kind) -> list[Entry]:
    """Returns layers with the places where they stand in the config, below `architecture.key`."""
    return [(("architecture", key, index), layer, kind) for index, layer in enumerate(layers)]
