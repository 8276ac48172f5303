"""Normalizations: what keeps the scale of activations from drifting with depth and training."""

from typing import TYPE_CHECKING, Annotated, Literal

from dnnlab.spec import Decay, Family, Positive, Spec

if TYPE_CHECKING:
    from torch import nn


class NoNormalization(Spec):
    """Leaves activations as they are.

        z = x

    Source: none needed.
    Keras and PyTorch: the same.
    """

    name: Literal["none"] = "none"


class BatchNormalization(Spec):
    """Standardizes each unit over the batch, then scales and shifts it by learned numbers.

        z = gamma * (x - mean_B) / sqrt(var_B + eps) + beta
        average <- momentum * average + (1 - momentum) * batch's    (used in evaluation)

    Source: Ioffe and Szegedy, 2015, algorithms 1 and 2.
    Keras: the same numbers mean the same (its moving variance is the biased one). PyTorch: its
    `momentum` is 1 minus this one and .1 by default, its eps 1e-5; its moving variance is unbiased,
    n / (n - 1) larger, and so is the one here, which is torch's.
    """

    name: Literal["batch"] = "batch"
    place: Literal["before_activation", "after_activation"] = "after_activation"
    """Before the activation the layer's bias is left out, since beta does its work."""
    input: bool = False
    """Also normalize the inputs of the net, which then need not be standardized."""
    momentum: Decay = 0.99
    """How much of the moving averages stays at each update."""
    eps: Positive = 1e-3
    """Added to the variance, so that a constant unit does not divide by 0."""

    def build(self, units: int) -> "nn.Module":
        """Returns the torch module for `units` units."""
        from torch import nn

        module = nn.BatchNorm1d(units, momentum=1 - self.momentum, eps=self.eps)
        # torch counts batches for a cumulative average that a fixed momentum never uses.
        module.num_batches_tracked = None
        return module


Normalization = Annotated[NoNormalization | BatchNormalization, Family("normalization")]
