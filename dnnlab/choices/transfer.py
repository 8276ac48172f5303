"""Transfer: which layers of another net are reused, and when they learn on."""

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from dnnlab.spec import Auto, Count, Duration, Epochs, OrAuto, Positive, Shorthand, Spec

LayerNames = Annotated[tuple[str, ...], Strict(False), Field(min_length=1)]
"""Names of layers, such as dense1, or patterns with * and ?, such as conv*."""


class Reuse(Spec):
    """Which layers begin with the weights of another net's layers of the same name."""

    first: Annotated[Annotated[int, Field(ge=0)] | Auto, OrAuto()] = "auto"
    """The first n layers; auto: all but the output layer."""
    layers: LayerNames | None = None
    """These layers, by name or pattern, whatever `first` is; output may be one of them."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.layers is not None and self.first != "auto":
            raise ValueError("give first or layers, not both")
        return self


class Unfreeze(Spec):
    """Which of the reused layers learn in a stage. Those that are new always do."""

    which: Literal["none", "all"] | None = None
    """none of them, or all."""
    top: Count | None = None
    """Only the last k of them, those nearest to the output."""
    layers: LayerNames | None = None
    """These, by name or pattern."""
    one_every: Epochs | None = None
    """The last one at once, and each time that this has passed, the one below."""

    @model_validator(mode="after")
    def _one_of_four(self) -> Self:
        if [self.which, self.top, self.layers, self.one_every].count(None) != 3:
            raise ValueError("give one of none, all, {top: k}, {layers: [...]}, {one_every: n}")
        return self


class Stage(Spec):
    """A part of the training in which the same layers learn at the same rates.

    Where other layers begin to learn, the optimizer begins anew, as a net does in Keras that is
    compiled again.
    """

    epochs: Epochs | None = None
    """How long: passes over the training split, or {updates: n}; null for what is left."""
    unfreeze: Annotated[Unfreeze, Shorthand("which")] = Unfreeze(which="none")
    """none, all, {top: k}, {layers: [dense3]}, or {one_every: n}, one more from the top each."""
    lr_factor: Positive = 1.0
    """What the learning rate is multiplied by in this stage."""


class Transfer(Spec):
    """Reuses the lower layers of a trained net: what they found helps where examples are few.

        layers of another net -> the same layers here, frozen for a while, then tuned with the rest

    A frozen layer keeps every bit; its batch normalization uses the averages it has. Its dropout
    goes on, since it is there for the layers above. Which net it is, `dnnlab transfer --from` says.
    Source: Yosinski et al., 2014; the chapter's 'reusing pretrained layers'; lr_decay: Howard and
    Ruder, 2018, section 3.2.
    Keras: layer.trainable = False, set_weights, and compile again; normalization of frozen layers
    alike. PyTorch: requires_grad_(False), after which batch normalization still moves.
    """

    reuse: Annotated[Reuse, Shorthand("first")] = Reuse()
    """How many of the first layers, or {layers: [dense1, "conv*"]}."""
    names: dict[str, str] = {}
    """Where a layer here is called otherwise there: {name here: name there}."""
    stages: Annotated[tuple[Stage, ...], Strict(False), Field(min_length=1)] = (
        Stage(epochs=Duration(epochs=4), unfreeze=Unfreeze(which="none")),
        Stage(unfreeze=Unfreeze(which="all")),
    )
    """What is frozen, and for how long; only the last stage may leave its length out."""
    lr_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What the rate is multiplied by from each layer to the one below it; the output has all."""
    batch_norm: Literal["with_its_layer", "frozen"] = "with_its_layer"
    """frozen: batch normalization of reused layers keeps the averages it came with, and uses them,
    also where its layer learns."""
    scaling: Literal["source", "own"] = "source"
    """Inputs are scaled by the statistics of the data that the other net was trained on, where they
    are known and fit, or by those of these data."""
    inputs: Literal["same", "resize", "adapt"] = "same"
    """Where the net was trained on images of another size or number of channels. same: that is an
    error; resize: the images are made like those; adapt: the first layer's weights are."""
    resize_to: Annotated[tuple[Count, ...], Strict(False)] | None = None
    """The shape that `resize` gives each image, (height, width) or with the channels in front; null
    for that of the images the other net was trained on, where it is known."""

    @model_validator(mode="after")
    def _lengths_are_known(self) -> Self:
        open_ended = [index for index, stage in enumerate(self.stages) if stage.epochs is None]
        if open_ended and open_ended[0] < len(self.stages) - 1:
            raise ValueError(
                f"stage {open_ended[0] + 1} has no epochs, and others follow it: only the last may"
            )
        return self

    @model_validator(mode="after")
    def _a_shape_is_for_resizing(self) -> Self:
        if self.resize_to is not None and self.inputs != "resize":
            raise ValueError("resize_to is for inputs: resize")
        if self.resize_to is not None and len(self.resize_to) not in (2, 3):
            raise ValueError("resize_to: give height and width, or channels, height and width")
        return self
