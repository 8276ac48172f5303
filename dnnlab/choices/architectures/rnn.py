"""Recurrent nets over sequences."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, Strict

from dnnlab.choices.activations import Activation
from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import (
    DenseLayer,
    Layer,
    LayerEntry,
    LayerSettings,
    MostUnits,
    layers_of,
)
from dnnlab.choices.architectures.stack import Stack
from dnnlab.choices.datasets import Signature
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.scaling import AutoInitializer
from dnnlab.spec import Auto, Conflict, Count, Shorthand

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from dnnlab.kernels.network import Fill, Network


class RecurrentLayer(LayerEntry):
    """One entry of `recurrent`, or several alike. A number alone is its units."""

    units: MostUnits
    """Size of the memory."""

    @property
    def width(self) -> int:
        """The units."""
        return self.units

    def resolved(self, settings: LayerSettings, use_bias: bool | Auto) -> Self:
        """Returns it with `auto` replaced: its activations are tanh and sigmoids, hence Glorot."""
        if not isinstance(self.initializer or settings.initializer, AutoInitializer):
            return self
        glorot = Initializer.named("glorot_uniform")
        return self.model_copy(update={"initializer": glorot})


class Rnn(Layered):
    """LSTM or GRU cells that read a sequence step by step; what the last step knows is used.

        lstm: c <- forget * c + in * tanh(...);   h = out * tanh(c);   gates are sigmoids of x and h
        gru:  h <- (1 - update) * tanh(...) + update * h

    The sequence: the rows of an image, the columns of a table one by one, or in `steps` groups.
    Kernels are filled gate by gate, those of the memory orthogonal; LSTM's forget gates begin with
    a bias of 1. A normalization of recurrent layers stands after them.
    Source: Hochreiter and Schmidhuber, 1997; Gers et al., 1999 (forget gate); Cho et al., 2014
    (GRU, here with the reset after the product); Jozefowicz et al., 2015 (bias 1).
    Keras: fills the kernels of all gates as one, so that Glorot's are narrower and the memory's are
    orthogonal together; one bias, where torch and this have two; recurrent_dropout has a mask for
    each gate. PyTorch: all first values uniform within 1 / sqrt(units); no recurrent dropout.
    """

    name: Literal["rnn"] = "rnn"
    cell: Literal["lstm", "gru"] = "lstm"
    """The kind of memory."""
    recurrent: Annotated[
        tuple[Annotated[RecurrentLayer, Shorthand("units")], ...],
        Strict(False),
        Field(min_length=1),
    ]
    """The recurrent layers: numbers of units, or mappings with units and own settings."""
    bidirectional: bool = False
    """Read each sequence backwards as well, with as many units again."""
    steps: Count | None = None
    """How many steps an example has; null: an image has one per row, a table one per column."""
    hidden: Annotated[tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False)] = ()
    """Dense layers behind the last step."""

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the recurrent layers, whose activation is tanh, then the dense ones."""
        entries = entries_of("recurrent", self.recurrent, "recurrent")
        entries += entries_of("hidden", self.hidden, "dense")
        tanh = Activation.named("tanh")
        for layer in layers_of(entries, settings, use_bias=self.use_bias):
            recurrent = layer.kind == "recurrent"
            yield replace(layer, activation=tanh) if recurrent else layer

    def conflicts(self, settings: LayerSettings) -> Iterator[Conflict]:
        """Yields what recurrent layers cannot have, and the output."""
        yield from super().conflicts(settings)
        for index, entry in enumerate(self.recurrent):
            if entry.activation is not None:
                text = f"the activations of {self.cell} cells are fixed: tanh and sigmoid"
                yield ("architecture", "recurrent", index, "activation"), text
        if settings.normalization.on_input:
            yield ("normalization", "input"), "rnn reads sequences: data.standardize scales them"
        for layer in self.layers(settings):
            if layer.kind == "recurrent" and layer.normalization.name not in ("none", "layer"):
                name = layer.normalization.name
                text = f"{name} normalization is not for recurrent layers: layer, or none"
                yield layer.place("normalization"), text
                return

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields steps into which an example cannot be divided."""
        features = math.prod(signature.input_shape)
        if self.steps is not None and features % self.steps:
            text = f"{features} numbers cannot be divided into {self.steps} steps"
            yield ("architecture", "steps"), text

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net; layers are named lstm1, dropout1, ..., last, dense3, ..., output."""
        import torch

        from dnnlab.kernels.blocks import AsSequence, LastStep

        shape = signature.input_shape
        steps = self.steps or shape[0 if len(shape) == 1 else -2]
        with torch.device("meta"):
            stack = Stack(shape)
            features = math.prod(shape) // steps
            stack.add("as_sequence", AsSequence(steps), shape=(features,))
            stack.inputs(settings)
            layers = list(enumerate(self.layers(settings), start=1))
            for number, layer in layers:
                if layer.kind == "recurrent":
                    self._recurrent(stack, number, layer, steps)
            stack.add("last", LastStep(self.bidirectional))
            stack.hidden((number, layer) for number, layer in layers if layer.kind == "dense")
            stack.output(signature.num_outputs, self.output, settings)
        return stack.network()

    def _recurrent(self, stack: Stack, number: int, layer: Layer, steps: int) -> None:
        from dnnlab.kernels.blocks import Recurrent
        from dnnlab.kernels.network import Kernel, zeros

        dropout = layer.dropout
        part = Recurrent(
            self.cell,
            stack.shape[0],
            layer.width,
            bidirectional=self.bidirectional,
            bias=layer.use_bias,
            recurrent_dropout=dropout.rate if dropout and dropout.kind == "recurrent" else 0.0,
        )
        fills = {
            "weight_ih": _by_gate(layer.initializer.build(), layer.width),
            "weight_hh": _by_gate(Initializer.named("orthogonal").build(), layer.width),
            "bias_ih": _forget_bias(layer)
            if self.cell == "lstm"
            else layer.bias_initializer.build(),
            "bias_hh": zeros,
        }
        initial = {
            name: next(fill for word, fill in fills.items() if word in name)
            for name, _ in part.named_parameters()
        }
        name = f"{self.cell}{number}"
        stack.add(name, part, initial, shape=(layer.width * (2 if self.bidirectional else 1),))
        for tensor in initial:
            if ".weight" in tensor:
                kernel = Kernel(f"{name}.{tensor}", layer.l1, layer.l2, layer.max_norm, steps)
                stack.kernels.append(kernel)
        if layer.normalization.position is not None:
            stack.normalization(f"norm{number}", layer.normalization)
        stack.dropout(f"dropout{number}", layer)


def _by_gate(fill: "Fill", units: int) -> "Fill":
    """Fills the kernels of the gates, which torch keeps below each other, one by one."""

    def each(kernels: "Tensor", generator: "Generator") -> None:
        for start in range(0, len(kernels), units):
            fill(kernels[start : start + units], generator)

    return each


def _forget_bias(layer: Layer) -> "Fill":
    """Fills LSTM's biases, that of the forget gate (the second of four) with 1."""
    fill = layer.bias_initializer.build()

    def each(biases: "Tensor", generator: "Generator") -> None:
        fill(biases, generator)
        biases[layer.width : 2 * layer.width] = 1.0

    return each
