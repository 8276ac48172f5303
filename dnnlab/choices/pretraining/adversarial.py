"""Pretraining against an adversary."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, Strict

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import (
    DenseLayer,
    Entry,
    LayerSettings,
    MostUnits,
    OutputLayer,
    layers_of,
)
from dnnlab.choices.architectures.stack import Stack
from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.losses import Task
from dnnlab.choices.normalizations import NoNormalization
from dnnlab.choices.pretraining import Pretraining
from dnnlab.spec import Conflict

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class AdversarialNets(Pretraining):
    """Tells examples from what a second net makes of noise, while that one learns to deceive it.

        loss of the net D = (log(1 + exp(-D(x))) + log(1 + exp(D(G(z))))) / 2,  z ~ N(0, 1)
        loss of the generator G = log(1 + exp(-D(G(z))))

    Both learn in every update, each from its own loss, G's through a D that stands still. What is
    reused is D, the experiment's architecture with one output. G, beside it, is a stack of dense
    layers with the experiment's activation and linear outputs, without normalization, dropout or
    penalties. Recorded while training is D's loss; a split is measured with noise that never
    changes: `loss` of D, where log 2 = .693 is guessing, `generator_loss`, and `accuracy`, the
    share of real and made examples that D tells apart.
    Source: Goodfellow et al., 2014; G's loss is the one of their section 3 that does not saturate.
    Keras and PyTorch: none; two models, trained in turn.
    """

    name: Literal["gan"] = "gan"
    codings: Annotated[int, Field(ge=1, le=100_000)] = 30
    """How many numbers of noise an example is made of."""
    generator: Annotated[tuple[MostUnits, ...], Strict(False), Field(min_length=1)] | None = None
    """Units of the generator's hidden layers; null for the net's dense layers, mirrored."""
    task: ClassVar[Task] = "classification"
    answers_nothing: ClassVar[str] = "tells examples from made ones, and says nothing else of them"

    @property
    def measures(self) -> tuple[str, ...]:
        """The generator's loss."""
        return ("generator_loss",)

    @property
    def num_outputs(self) -> int:
        """One, the logit of being real."""
        return 1

    def resolved(self, architecture: Architecture, settings: LayerSettings, data: Dataset) -> Self:
        """Returns it with the generator's layers."""
        layers = self.generator or _mirrored(architecture, settings)
        return self.model_copy(update={"generator": layers})

    def conflicts(
        self, architecture: Architecture, settings: LayerSettings, data: Dataset
    ) -> Iterator[Conflict]:
        """Yields an architecture that says nothing of the generator."""
        if self.generator is None and not _mirrored(architecture, settings):
            text = (
                f"generator: units of its hidden layers, such as [100, 300]; {architecture.name} "
                "has no dense ones here that could be mirrored"
            )
            yield ("pretraining",), text

    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the discriminator, and beside it `generator`."""
        import torch

        from dnnlab.kernels.adversaries import adversaries

        assert self.generator is not None, "it is resolved while reading"
        discriminator = architecture.build(signature, settings)
        bare = replace(
            settings, normalization=NoNormalization(), dropout=None, l1=0.0, l2=0.0, max_norm=None
        )
        entries: list[Entry] = [
            (("pretraining", "generator"), DenseLayer(units=units), "dense")
            for units in self.generator
        ]
        with torch.device("meta"):
            stack = Stack((self.codings,))
            stack.hidden(enumerate(layers_of(entries, bare, use_bias=True), start=1))
            stack.output(math.prod(signature.input_shape), OutputLayer().resolved(), bare)
        return adversaries(discriminator, stack.network(), self.codings)


def _mirrored(architecture: Architecture, settings: LayerSettings) -> tuple[int, ...]:
    layers = [layer.width for layer in architecture.layers(settings) if layer.kind == "dense"]
    return tuple(reversed(layers))
