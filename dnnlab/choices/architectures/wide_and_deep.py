"""The net with a short way from the inputs to the outputs."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, Strict

from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import (
    DenseLayer,
    Layer,
    LayerSettings,
    layers_of,
)
from dnnlab.choices.architectures.stack import Stack
from dnnlab.choices.datasets import Signature
from dnnlab.spec import Conflict, Shorthand

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network

Columns = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Strict(False), Field(min_length=1)]


class WideAndDeep(Layered):
    """A deep stack beside a direct way: the output layer sees the inputs as well as the last layer.

        outputs = W [inputs, deep(inputs)] + b

    Simple rules are learned on the short way, patterns on the long one.
    Source: Cheng et al., 2016, 'Wide & deep learning for recommender systems'; the chapter before.
    Keras: the functional API with a Concatenate. PyTorch: none.
    """

    name: Literal["wide_and_deep"] = "wide_and_deep"
    hidden: Annotated[tuple[Annotated[DenseLayer, Shorthand("units")], ...], Strict(False)]
    """The hidden layers of the deep way: numbers of units, or mappings as in mlp."""
    wide: Columns | None = None
    """Which inputs go the short way, counted from 0 after encoding; null for all."""
    deep: Columns | None = None
    """Which inputs go the deep way; null for all."""

    def layers(self, settings: LayerSettings) -> Iterator[Layer]:
        """Yields the hidden layers of the deep way."""
        entries = entries_of("hidden", self.hidden, "dense")
        return layers_of(entries, settings, use_bias=self.use_bias, plain=False)

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields columns that are not there."""
        features = math.prod(signature.input_shape)
        ways: tuple[tuple[str, tuple[int, ...] | None], ...] = (
            ("wide", self.wide),
            ("deep", self.deep),
        )
        for word, columns in ways:
            if columns is not None and max(columns) >= features:
                text = f"there is no input {max(columns)}: an example has {features}, from 0"
                yield ("architecture", word), text

    def build(self, signature: Signature, settings: LayerSettings) -> "Network":
        """Returns the net: ways.deep.dense1, ..., output."""
        import torch
        from torch import nn

        from dnnlab.kernels import blocks

        with torch.device("meta"):
            stack = Stack(signature.input_shape)
            stack.flatten()
            stack.inputs(settings)
            features = stack.shape[0]
            deep = Stack((len(self.deep) if self.deep else features,))
            deep.hidden(enumerate(self.layers(settings), start=1))
            part = blocks.WideAndDeep(
                nn.Sequential(deep.parts),
                list(self.wide) if self.wide else None,
                list(self.deep) if self.deep else None,
            )
            joined = deep.shape[0] + (len(self.wide) if self.wide else features)
            stack.add_stacks("ways", part, shape=(joined,), deep=deep)
            stack.output(signature.num_outputs, self.output, settings)
        return stack.network()
