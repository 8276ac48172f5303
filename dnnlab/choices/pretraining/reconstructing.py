"""Pretraining that gives inputs back."""

from typing import TYPE_CHECKING, Literal

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.autoencoder import Autoencoder
from dnnlab.choices.architectures.layers import LayerSettings
from dnnlab.choices.architectures.mlp import Mlp
from dnnlab.choices.datasets import Signature
from dnnlab.choices.pretraining import Pretraining

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class PretrainingAutoencoder(Pretraining):
    """Learns to give the inputs back through the net's hidden layers, and then mirrored ones.

        inputs -> hidden layers -> the same layers back -> inputs

    Source: Hinton and Salakhutdinov, 2006; the chapter's 'unsupervised pretraining'.
    Keras and PyTorch: none; a model whose targets are its inputs.
    """

    name: Literal["autoencoder"] = "autoencoder"

    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the net; its first layers are those of the architecture."""
        assert isinstance(architecture, Mlp)
        mirrored = Autoencoder(
            hidden=architecture.hidden, use_bias=architecture.use_bias, output=architecture.output
        )
        return mirrored.build(signature, settings)
