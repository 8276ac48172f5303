"""Pretraining that gives inputs back."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.autoencoder import Autoencoder
from dnnlab.choices.architectures.layers import LayerSettings
from dnnlab.choices.architectures.mlp import Mlp
from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.pretraining import Lesson, Pretraining, from_the_bottom, mlp_needed
from dnnlab.spec import Conflict, Decay, NonNegative

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from dnnlab.kernels.network import Network


class PretrainingAutoencoder(Pretraining):
    """Learns to give the inputs back through the net's hidden layers, and then mirrored ones.

        corrupted inputs -> hidden layers -> the same layers back -> the inputs as they were

    `greedy` trains one layer after the other, for the same number of updates each: its coding of
    what the layers below say has to give that back, noise and mask falling on what they say. Its
    training loss is that mean squared difference; evaluation is always that of the whole net: of
    corrupted inputs, or of clean ones where it is greedy.
    Source: Hinton and Salakhutdinov, 2006; noise and mask: Vincent et al., 2010; greedy: Bengio et
    al., 2007; the chapter's 'unsupervised pretraining'.
    Keras and PyTorch: none; a model whose targets are its inputs.
    """

    name: Literal["autoencoder"] = "autoencoder"
    tied: bool = False
    """The decoder's kernels are the encoder's, transposed; its biases are its own."""
    greedy: bool = False
    """One layer after the other, those below being frozen; else all at once."""
    noise: NonNegative = 0.0
    """Standard deviation of Gaussian noise on the standardized inputs."""
    mask: Decay = 0.0
    """The share of the inputs that are set to 0, the mean of standardized ones."""

    @property
    def measures(self) -> tuple[str, ...] | None:
        """Where it is greedy, the loss of the whole net alone."""
        return () if self.greedy else None

    def conflicts(
        self, architecture: Architecture, settings: LayerSettings, data: Dataset
    ) -> Iterator[Conflict]:
        """Yields other architectures, and settings of kernels that there are not."""
        yield from mlp_needed(self.name, architecture)
        if self.tied and isinstance(architecture, Mlp):
            yield from architecture.output.without_kernel()

    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the net; its first layers are those of the architecture."""
        assert isinstance(architecture, Mlp)
        network = mirrored(architecture, tied=self.tied).build(signature, settings)
        if not self.greedy:
            return network
        from dnnlab.kernels.greedy import layer_by_layer
        from dnnlab.kernels.lessons import corrupted

        corrupt = partial(corrupted, noise=self.noise, mask=self.mask)
        return replace(network, self_taught=layer_by_layer(network, corrupt))

    def lesson(self, inputs: "Tensor", targets: "Tensor") -> Lesson | None:
        """Returns what corrupts inputs, and leaves targets as they are."""
        if self.greedy or not (self.noise or self.mask):
            return None
        from dnnlab.kernels.lessons import corrupted

        def lesson(
            inputs: "Tensor", targets: "Tensor", rows: "Tensor", generator: "Generator"
        ) -> "tuple[Tensor, Tensor]":
            return corrupted(inputs, generator, noise=self.noise, mask=self.mask), targets

        return lesson

    def phases(self, layers: tuple[str, ...]) -> tuple[frozenset[str], ...]:
        """Returns a layer and its own way back for each phase, where it is greedy."""
        return from_the_bottom(layers) if self.greedy else ()


def mirrored(architecture: Mlp, *, tied: bool) -> Autoencoder:
    """Returns the autoencoder whose encoder a plain stack's hidden layers are."""
    return Autoencoder(
        hidden=architecture.hidden,
        use_bias=architecture.use_bias,
        output=architecture.output,
        tied=tied,
    )


class MaskedFeatures(Pretraining):
    """Replaces some features of each example, and learns to say what had stood there.

        x with a share `mask` of its features replaced -> the net -> all features
        loss = that of the replaced features alone

    The net is the architecture with an output for each feature. Which features are replaced, and
    by what, is drawn for each example and update. Of the features that were one column of words,
    each is drawn by itself.
    Source: Yoon et al., 2020 (VIME), without its second task of saying which were replaced; Arik
    and Pfister, 2021 (TabNet), section 3, which fills in 0.
    Keras and PyTorch: none.
    """

    name: Literal["masked"] = "masked"
    mask: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """The share of each example's features that is replaced, rounded; at least one."""
    fill: Literal["other", "mean"] = "other"
    """other: by the same feature of another example of the split; mean: by its mean there."""

    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the architecture's net with one output per feature."""
        return architecture.build(signature, settings)

    def lesson(self, inputs: "Tensor", targets: "Tensor") -> Lesson:
        """Returns what replaces features; a target that is not asked for is nan."""
        from dnnlab.kernels.lessons import masked

        split = inputs.flatten(1)
        fill = split if self.fill == "other" else split.mean(0, keepdim=True)

        def lesson(
            inputs: "Tensor", targets: "Tensor", rows: "Tensor", generator: "Generator"
        ) -> "tuple[Tensor, Tensor]":
            return masked(inputs, fill, generator, share=self.mask)

        return lesson

    def asked(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Returns what was replaced, as vectors."""
        wanted = ~targets.isnan()
        return outputs[wanted], targets[wanted]
