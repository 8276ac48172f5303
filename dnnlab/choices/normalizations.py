"""Normalizations: what keeps the scale of activations from drifting with depth and training."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.spec import Choice, Count, Decay, Positive

if TYPE_CHECKING:
    from torch import nn


Place = Literal["before_activation", "after_activation"]


class Normalization(Choice):
    """What every normalization can do. Abstract."""

    family: ClassVar[str] = "normalization"
    members: ClassVar[dict[str, str]] = {
        "none": "normalizations.NoNormalization",
        "batch": "normalizations.BatchNormalization",
        "layer": "normalizations.LayerNormalization",
        "group": "normalizations.GroupNormalization",
    }
    over_the_batch: ClassVar[bool] = False
    """Whether an example's outputs depend on the others of its batch: two or more are needed."""

    @property
    def position(self) -> Place | None:
        """Where in a layer it stands; None for nowhere."""
        return None

    @property
    def must_divide(self) -> int:
        """What the units of a layer have to be a multiple of."""
        return 1

    @property
    def on_input(self) -> bool:
        """Whether the inputs of the net are normalized too."""
        return False

    @property
    def replaces_bias(self) -> bool:
        """Whether it undoes whatever a bias right before it adds."""
        return False

    @abstractmethod
    def build(self, units: int, *, spatial: bool = False) -> "nn.Module":
        """Returns the module for inputs (B, units), or (B, units, height, width) if `spatial`.

        Its parameters are `weight` and `bias`, its buffers `running_mean` and `running_var`.
        """


class NoNormalization(Normalization):
    """Leaves activations as they are.

        z = x

    Source: none needed.
    Keras and PyTorch: the same.
    """

    name: Literal["none"] = "none"

    def build(self, units: int, *, spatial: bool = False) -> "nn.Module":
        """Raises AssertionError: where nothing is normalized, no module stands."""
        raise AssertionError("no normalization builds no module")


class BatchNormalization(Normalization):
    """Standardizes each unit over the batch, then scales and shifts it by learned numbers.

        z = gamma * (x - mean_B) / sqrt(var_B + eps) + beta
        average <- momentum * average + (1 - momentum) * batch's    (used in evaluation)

    A feature map of a convolution is one unit: its mean is over examples and places.
    Source: Ioffe and Szegedy, 2015, algorithms 1 and 2.
    Keras: the same numbers mean the same (its moving variance is the biased one). PyTorch: its
    `momentum` is 1 minus this one and .1 by default, its eps 1e-5; its moving variance is unbiased,
    n / (n - 1) larger, and so is the one here, which is torch's.
    """

    name: Literal["batch"] = "batch"
    place: Place = "after_activation"
    """Before the activation the layer's bias is left out, since beta does its work."""
    input: bool = False
    """Also normalize the inputs of the net, which then need not be standardized."""
    momentum: Decay = 0.99
    """How much of the moving averages stays at each update."""
    eps: Positive = 1e-3
    """Added to the variance, so that a constant unit does not divide by 0."""
    over_the_batch: ClassVar[bool] = True

    @property
    def position(self) -> Place:
        """As set."""
        return self.place

    @property
    def on_input(self) -> bool:
        """As set."""
        return self.input

    @property
    def replaces_bias(self) -> bool:
        """Before the activation it subtracts every bias together with the mean."""
        return self.place == "before_activation"

    def build(self, units: int, *, spatial: bool = False) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        kind = nn.BatchNorm2d if spatial else nn.BatchNorm1d
        module = kind(units, momentum=1 - self.momentum, eps=self.eps)
        # torch counts batches for a cumulative average that a fixed momentum never uses.
        module.num_batches_tracked = None
        return module


class LayerNormalization(Normalization):
    """Standardizes each example over the units of a layer, whatever else is in the batch.

        z = gamma * (x - mean_units) / sqrt(var_units + eps) + beta

    In a convolution the mean is over all feature maps and places, gamma and beta are one a map.
    Source: Ba, Kiros and Hinton, 2016, section 3.
    Keras: on images over the channels of each place alone, unless told otherwise; eps the same.
    PyTorch: LayerNorm, eps 1e-5; on images GroupNorm with one group.
    """

    name: Literal["layer"] = "layer"
    place: Place = "after_activation"
    """Where in a layer it stands."""
    eps: Positive = 1e-3
    """Added to the variance."""

    @property
    def position(self) -> Place:
        """As set."""
        return self.place

    def build(self, units: int, *, spatial: bool = False) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.GroupNorm(1, units, self.eps) if spatial else nn.LayerNorm(units, self.eps)


class GroupNormalization(Normalization):
    """Standardizes each example over groups of units or of feature maps: a mean for each group.

        z = gamma * (x - mean_group) / sqrt(var_group + eps) + beta

    Source: Wu and He, 2018, section 3.
    Keras and PyTorch: GroupNormalization, GroupNorm, the same; PyTorch's eps is 1e-5.
    """

    name: Literal["group"] = "group"
    groups: Count = 8
    """How many groups; they have to divide the units or filters of every layer they stand in."""
    place: Place = "after_activation"
    """Where in a layer it stands."""
    eps: Positive = 1e-3
    """Added to the variance."""

    @property
    def position(self) -> Place:
        """As set."""
        return self.place

    @property
    def must_divide(self) -> int:
        """The number of groups."""
        return self.groups

    def build(self, units: int, *, spatial: bool = False) -> "nn.Module":
        """Returns the torch module."""
        from torch import nn

        return nn.GroupNorm(self.groups, units, self.eps)
