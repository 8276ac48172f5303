"""Regularization: what keeps a net from learning its training examples by heart."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import model_validator

from dnnlab.spec import Count, Decay, Epochs, NonNegative, Positive, Shorthand, Spec

if TYPE_CHECKING:
    from torch import nn


class DropoutPlaces(Spec):
    """Where dropout stands. Never on the outputs."""

    layers: Literal["all", "hidden", "input"] | None = None
    """all: the inputs and every hidden layer; hidden: every hidden layer; input: the inputs."""
    top: Count | None = None
    """Only the last `top` hidden layers."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.layers is None) == (self.top is None):
            raise ValueError("give one of all, hidden, input, or {top: k}")
        return self

    def on_input(self) -> bool:
        """Whether the inputs of the net are dropped."""
        return self.layers in {"all", "input"}

    def on_hidden(self, layer: int, num_hidden: int) -> bool:
        """Whether the outputs of hidden layer `layer` (from 0) are dropped."""
        if self.top is not None:
            return layer >= num_hidden - self.top
        return self.layers in {"all", "hidden"}


class Dropout(Spec):
    """Silences each unit with probability `rate` at every update; in evaluation all units speak.

        standard: x * mask / (1 - rate)
        alpha: dropped units become -1.7581, then an affine map restores mean 0 and variance 1

    Source: Srivastava et al., 2014 (inverted scaling); alpha: Klambauer et al., 2017, section
    'New dropout technique'; spatial: Tompson et al., 2015; recurrent: Gal and Ghahramani, 2016.
    Keras: the same; recurrent_dropout. PyTorch: the same; Dropout2d; none for recurrent.
    """

    rate: Decay
    """The probability that a unit is dropped."""
    kind: Literal["standard", "alpha", "spatial", "recurrent"] = "standard"
    """alpha keeps the mean and variance that SELU needs; spatial drops whole feature maps of
    convolutions; recurrent drops an rnn's memory, with one mask for all steps of a sequence."""
    where: Annotated[DropoutPlaces, Shorthand("layers")] = DropoutPlaces(layers="all")
    """all, hidden, input, or {top: k}. A layer's own entry overrides it for that layer."""

    def build(self, *, spatial: bool = False) -> "nn.Module":
        """Returns the torch module; only where outputs are `spatial` can whole maps be dropped."""
        from torch import nn

        if self.kind == "alpha":
            return nn.AlphaDropout(self.rate)
        return (
            nn.Dropout2d(self.rate) if self.kind == "spatial" and spatial else nn.Dropout(self.rate)
        )


class EarlyStopping(Spec):
    """Ends the training when the monitored validation metric has stopped improving.

        stop when (updates since the best) >= patience

    Source: Prechelt, 1998, 'Early stopping - but when?'; the chapter's `EarlyStopping`.
    Keras: the same count (wait >= patience). PyTorch: none.
    """

    patience: Epochs
    """How long to go on without a new best; at least one evaluation lies within it."""
    min_delta: NonNegative = 0.0
    """How much better than the best counts as better, in units of the monitored metric."""
    restore_best: bool = True
    """Keep the weights of the best evaluation, whatever ended the training."""


class Regularization(Spec):
    """The regularizers of a net; each may be overridden for one layer where the layer is named.

        loss + l1 * sum(|w|) + l2 * sum(w²) over the kernels;   max_norm: |w_unit| <= max_norm

    Source: the chapter's section 'Avoiding overfitting through regularization'.
    Keras: the same numbers mean the same. PyTorch: l2 is half its SGD's weight_decay.
    """

    l1: NonNegative = 0.0
    """Strength of the absolute penalty on every kernel, output included: many weights become 0."""
    l2: NonNegative = 0.0
    """Strength of the squared penalty on every kernel, output included; no factor 1/2."""
    dropout: Annotated[Dropout, Shorthand("rate")] | None = None
    """A rate, or a mapping with rate, kind and where."""
    max_norm: Positive | None = None
    """After each update, the longest that any unit's incoming weights may be; every kernel."""
    early_stopping: EarlyStopping | None = None
    """Patience, and whether the best weights are kept."""
    label_smoothing: Decay = 0.0
    """While training, the true class is worth 1 - s and the rest is shared by all (Szegedy et al.,
    2016). The loss of train records has it too; evaluations know no smoothing."""
