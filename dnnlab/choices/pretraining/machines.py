"""Pretraining by energies: restricted Boltzmann machines on each other."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field

from dnnlab.choices.activations.sigmoid import Sigmoid
from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import LayerSettings
from dnnlab.choices.architectures.mlp import Mlp
from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.pretraining import Pretraining, from_the_bottom, mlp_needed
from dnnlab.choices.pretraining.reconstructing import mirrored
from dnnlab.spec import Conflict

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class BoltzmannMachines(Pretraining):
    """Restricted Boltzmann machines on each other: each layer learns what those below often say.

        E(v, h) = -b.v - c.h - h W v,  P(h = 1 | v) = sigmoid(c + W v)
        loss = mean F(data) - mean F(end of the chain),  F(v) = -b.v - sum log(1 + exp(c + W v))
        chain: `steps` times h ~ P(h | v), then v = E[v | h]

    With gaussian visible units (of standardized inputs, variance 1) |v - b|²/2 takes the place of
    -b.v, in E and F. The loss's gradient, the end held fixed, is contrastive divergence's; its
    value says little. Layers learn one after the other, for the same number of updates each, from
    the probabilities of those below. Evaluated is the mean squared error of the inputs that come
    back through all machines, probabilities in place of draws. Meant for activation: sigmoid.
    Source: Hinton, 2002; Hinton, Osindero and Teh, 2006; means of the visible units in the chain:
    Hinton, 2012, 'A practical guide', section 3.
    Keras and PyTorch: none. scikit-learn: BernoulliRBM, whose chain goes on from update to update.
    """

    name: Literal["rbm"] = "rbm"
    steps: Annotated[int, Field(ge=1, le=1000)] = 1
    """Length of the chain: k of CD-k."""
    visible: Literal["auto", "gaussian", "bernoulli"] = "auto"
    """What the inputs are to the first machine: bernoulli are probabilities, 0 to 1. auto: these
    with data.standardize: range, else gaussian."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Its loss alone."""
        return ()

    def resolved(self, architecture: Architecture, settings: LayerSettings, data: Dataset) -> Self:
        """Returns it with `auto` replaced."""
        if self.visible != "auto":
            return self
        kind = "bernoulli" if data.standardize == "range" else "gaussian"
        return self.model_copy(update={"visible": kind})

    def conflicts(
        self, architecture: Architecture, settings: LayerSettings, data: Dataset
    ) -> Iterator[Conflict]:
        """Yields other architectures, and whatever else than weights and biases a layer has."""
        yield from mlp_needed(self.name, architecture)
        alone = "a Boltzmann machine has weights and biases alone; leave it out"
        if settings.normalization.on_input:
            yield ("normalization", "input"), alone
        on_input = settings.dropout is not None and settings.dropout.where.on_input()
        if on_input:
            yield ("regularization", "dropout"), alone
        if isinstance(architecture, Mlp):
            layers = list(architecture.layers(settings))
            normalized = [layer for layer in layers if layer.normalization.position]
            yield from ((layer.place("normalization"), alone) for layer in normalized[:1])
            dropped = [layer for layer in layers if layer.dropout is not None and not on_input]
            yield from ((layer.place("dropout"), alone) for layer in dropped[:1])
            yield from architecture.output.without_kernel()
        if self.visible == "bernoulli" and data.standardize.startswith("per_"):
            text = "bernoulli units are 0 to 1, and inputs are not: use data.standardize: range"
            yield ("pretraining", "visible"), text

    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the net that goes up through all machines and down again."""
        from torch import nn

        from dnnlab.kernels.boltzmann import stacked

        assert isinstance(architecture, Mlp)
        logistic = {"activation": None}
        hidden = tuple(layer.model_copy(update=logistic) for layer in architecture.hidden)
        architecture = architecture.model_copy(update={"hidden": hidden})
        settings = replace(settings, activation=Sigmoid())
        network = mirrored(architecture, tied=True).build(signature, settings)
        if self.visible == "bernoulli":
            network.module.add_module("output_sigmoid", nn.Sigmoid())
        taught = stacked(network, gaussian=self.visible == "gaussian", steps=self.steps)
        return replace(network, self_taught=taught)

    def phases(self, layers: tuple[str, ...]) -> tuple[frozenset[str], ...]:
        """Returns one machine for each phase."""
        return from_the_bottom(layers)
