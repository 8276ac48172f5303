"""The lint: settings that are legal together but defeat each other. Warnings, never refusals.

A rule is a function of the experiment that yields findings, each with its reason and its source.
To add one: write it below and name it in RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dnnlab.choices.architectures.layers import Layer
from dnnlab.experiment import Experiment, Finding

SELU = "(Klambauer et al., 2017)"


def lint(experiment: Experiment) -> list[Finding]:
    """Returns every finding of every rule."""
    return [finding for rule in RULES for finding in rule(experiment)]


def _selu_layers(experiment: Experiment) -> Iterator[Layer]:
    return (layer for layer in experiment.layers() if layer.activation.name == "selu")


def _first(layers: Iterator[Layer], is_so: Callable[[Layer], bool]) -> Iterator[Layer]:
    """Yields the first layer for which something is so: one warning is enough."""
    yield from [layer for layer in layers if is_so(layer)][:1]


def selu_needs_lecun(experiment: Experiment) -> Iterator[Finding]:
    """SELU's fixed point assumes weights of variance 1 / fan_in."""

    def unlike(layer: Layer) -> bool:
        chosen = layer.initializer
        general = (getattr(chosen, "scale", None), getattr(chosen, "mode", None))
        return not chosen.name.startswith("lecun") and general != (1.0, "fan_in")

    for layer in _first(_selu_layers(experiment), unlike):
        yield Finding(
            layer.place("initializer"),
            "selu normalizes itself with lecun_normal weights, not "
            f"{layer.initializer.name} {SELU}",
        )


def selu_needs_standardized_inputs(experiment: Experiment) -> Iterator[Finding]:
    """SELU's fixed point assumes inputs of mean 0 and variance 1."""
    if experiment.data.standardize in ("range", "none") and any(_selu_layers(experiment)):
        yield Finding(
            ("data", "standardize"),
            "selu normalizes itself only if the inputs have mean 0 and sd 1: "
            f"standardize: per_feature {SELU}",
        )


def selu_needs_alpha_dropout(experiment: Experiment) -> Iterator[Finding]:
    """Ordinary dropout changes the mean and the variance that SELU keeps."""
    whole = experiment.regularization.dropout
    on_input = whole is not None and whole.where.on_input() and whole.rate > 0
    for layer in _selu_layers(experiment):
        chosen = layer.dropout or (whole if on_input else None)
        if chosen is not None and chosen.kind != "alpha":
            own = layer.dropout is not None and "dropout" in layer.own
            yield Finding(
                layer.place("dropout") if own else ("regularization", "dropout"),
                "ordinary dropout breaks selu's self-normalization: "
                f"dropout: {{rate: {chosen.rate:g}, kind: alpha}} {SELU}",
            )
            return


def selu_without_penalties(experiment: Experiment) -> Iterator[Finding]:
    """A penalty on weights shrinks their variance below 1 / fan_in."""
    for word in ("l1", "l2"):
        found = [layer for layer in _selu_layers(experiment) if getattr(layer, word) > 0]
        for layer in found[:1]:
            yield Finding(
                layer.place(word),
                f"{word} shrinks the weights whose variance selu needs to normalize itself {SELU}",
            )


def selu_without_max_norm(experiment: Experiment) -> Iterator[Finding]:
    """A bound on weights changes their variance."""
    for layer in _first(_selu_layers(experiment), lambda each: each.max_norm is not None):
        yield Finding(
            layer.place("max_norm"),
            f"max_norm bounds the weights whose variance selu needs to normalize itself {SELU}",
        )


def selu_without_normalization(experiment: Experiment) -> Iterator[Finding]:
    """Two means to the same end: batch normalization undoes SELU's own."""
    for layer in _first(_selu_layers(experiment), lambda each: bool(each.normalization.position)):
        yield Finding(
            layer.place("normalization"),
            f"selu normalizes itself; with {layer.normalization.name} normalization elu costs less "
            f"and does the same {SELU}",
        )


def alpha_dropout_is_for_selu(experiment: Experiment) -> Iterator[Finding]:
    """Alpha dropout sets dropped units to SELU's lower limit."""
    dropout = experiment.regularization.dropout
    if dropout is None or dropout.kind != "alpha" or not any(experiment.layers()):
        return
    if not any(_selu_layers(experiment)):
        yield Finding(
            ("regularization", "dropout", "kind"),
            "alpha dropout keeps the mean and variance of selu units; with "
            f"{experiment.activation.name} use kind: standard {SELU}",
        )


def l2_is_not_weight_decay(experiment: Experiment) -> Iterator[Finding]:
    """Adam-like optimizers divide the penalty's gradient by the gradient's size."""
    if experiment.optimizer.rescales and experiment.regularization.l2 > 0:
        yield Finding(
            ("regularization", "l2"),
            f"{experiment.optimizer.name} rescales every gradient, l2's too: weights with large "
            "gradients are hardly regularized; adamw decays them apart (Loshchilov and Hutter, "
            "2019)",
        )


def clipping_by_value_turns(experiment: Experiment) -> Iterator[Finding]:
    """Cutting components one by one changes the direction of the step."""
    clipping = experiment.gradient_clipping
    if clipping is not None and clipping.value is not None:
        yield Finding(
            ("gradient_clipping", "value"),
            "clipping by value turns the gradient's direction; gradient_clipping: {norm: ...} "
            "keeps it (Pascanu et al., 2013)",
        )


def bias_before_batch_norm(experiment: Experiment) -> Iterator[Finding]:
    """Batch normalization subtracts the mean, and any bias with it."""

    def idle(layer: Layer) -> bool:
        return layer.normalization.replaces_bias and layer.use_bias

    for layer in _first(experiment.layers(), idle):
        yield Finding(
            layer.place("use_bias"),
            "batch normalization subtracts what this bias adds; use_bias: auto leaves it out "
            "(Ioffe and Szegedy, 2015, section 3.2)",
        )


RULES: tuple[Callable[[Experiment], Iterator[Finding]], ...] = (
    selu_needs_lecun,
    selu_needs_standardized_inputs,
    selu_needs_alpha_dropout,
    selu_without_penalties,
    selu_without_max_norm,
    selu_without_normalization,
    alpha_dropout_is_for_selu,
    l2_is_not_weight_decay,
    clipping_by_value_turns,
    bias_before_batch_norm,
)
