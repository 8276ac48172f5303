"""The lint: settings that are legal together but defeat each other. Warnings, never refusals.

A rule is a function of the experiment that yields findings, each with its reason and its source.
To add one: write it below and name it in RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dnnlab.choices.activations import Activation, Selu
from dnnlab.choices.architectures import DenseLayer
from dnnlab.choices.initializers import AutoInitializer, LecunNormal, VarianceScaling
from dnnlab.choices.normalizations import BatchNormalization, NoNormalization
from dnnlab.choices.optimizers import Nadam
from dnnlab.choices.regularizers import Dropout
from dnnlab.experiment import Experiment, Finding

SELU = "(Klambauer et al., 2017)"


def lint(experiment: Experiment) -> list[Finding]:
    """Returns every finding of every rule."""
    return [finding for rule in RULES for finding in rule(experiment)]


def _activation(experiment: Experiment, layer: DenseLayer) -> Activation:
    return layer.activation or experiment.activation


def _selu_layers(experiment: Experiment) -> Iterator[tuple[int, DenseLayer]]:
    for index, layer in enumerate(experiment.architecture.hidden):
        if isinstance(_activation(experiment, layer), Selu):
            yield index, layer


def _reaches(dropout: Dropout, experiment: Experiment, index: int) -> bool:
    """Whether the net's dropout changes what an entry of `hidden` takes or gives."""
    repeats = [layer.repeat for layer in experiment.architecture.hidden]
    last = sum(repeats[: index + 1]) - 1
    return dropout.where.on_input() or dropout.where.on_hidden(last, sum(repeats))


def selu_needs_lecun(experiment: Experiment) -> Iterator[Finding]:
    """SELU's fixed point assumes weights of variance 1 / fan_in."""
    for index, layer in _selu_layers(experiment):
        chosen = layer.initializer or experiment.initializer
        fits = isinstance(chosen, AutoInitializer | LecunNormal) or (
            isinstance(chosen, VarianceScaling) and (chosen.scale, chosen.mode) == (1.0, "fan_in")
        )
        if not fits:
            own = ("architecture", "hidden", index, "initializer")
            yield Finding(
                own if layer.initializer else ("initializer",),
                f"selu normalizes itself with lecun_normal weights, not {chosen.name} {SELU}",
            )
            return


def selu_needs_standardized_inputs(experiment: Experiment) -> Iterator[Finding]:
    """SELU's fixed point assumes inputs of mean 0 and variance 1."""
    if experiment.data.standardize != "per_feature" and any(_selu_layers(experiment)):
        yield Finding(
            ("data", "standardize"),
            "selu normalizes itself only if the inputs have mean 0 and sd 1: "
            f"standardize: per_feature {SELU}",
        )


def selu_needs_alpha_dropout(experiment: Experiment) -> Iterator[Finding]:
    """Ordinary dropout changes the mean and the variance that SELU keeps."""
    for index, layer in _selu_layers(experiment):
        own, chosen = layer.dropout, layer.dropout
        everywhere = experiment.regularization.dropout
        if own is None and everywhere is not None and _reaches(everywhere, experiment, index):
            chosen = everywhere
        if chosen is not None and chosen.kind == "standard" and chosen.rate > 0:
            place = ("architecture", "hidden", index, "dropout") if own else None
            yield Finding(
                place or ("regularization", "dropout"),
                "ordinary dropout breaks selu's self-normalization: "
                f"dropout: {{rate: {chosen.rate:g}, kind: alpha}} {SELU}",
            )
            return


def selu_without_l2(experiment: Experiment) -> Iterator[Finding]:
    """A penalty on weights shrinks their variance below 1 / fan_in."""
    for index, layer in _selu_layers(experiment):
        if (experiment.regularization.l2 if layer.l2 is None else layer.l2) > 0:
            own = ("architecture", "hidden", index, "l2")
            yield Finding(
                ("regularization", "l2") if layer.l2 is None else own,
                f"l2 shrinks the weights whose variance selu needs to normalize itself {SELU}",
            )
            return


def selu_without_max_norm(experiment: Experiment) -> Iterator[Finding]:
    """A bound on weights changes their variance."""
    for index, layer in _selu_layers(experiment):
        if layer.max_norm or experiment.regularization.max_norm:
            own = ("architecture", "hidden", index, "max_norm")
            yield Finding(
                own if layer.max_norm else ("regularization", "max_norm"),
                f"max_norm bounds the weights whose variance selu needs to normalize itself {SELU}",
            )
            return


def selu_without_normalization(experiment: Experiment) -> Iterator[Finding]:
    """Two means to the same end: batch normalization undoes SELU's own."""
    for index, layer in _selu_layers(experiment):
        chosen = layer.normalization or experiment.normalization
        if not isinstance(chosen, NoNormalization):
            own = ("architecture", "hidden", index, "normalization")
            yield Finding(
                own if layer.normalization else ("normalization",),
                f"selu normalizes itself; with {chosen.name} normalization elu costs less and "
                f"does the same {SELU}",
            )
            return


def alpha_dropout_is_for_selu(experiment: Experiment) -> Iterator[Finding]:
    """Alpha dropout sets dropped units to SELU's lower limit."""
    dropout = experiment.regularization.dropout
    if dropout is None or dropout.kind != "alpha" or not experiment.architecture.hidden:
        return
    if not any(_selu_layers(experiment)):
        yield Finding(
            ("regularization", "dropout", "kind"),
            "alpha dropout keeps the mean and variance of selu units; with "
            f"{experiment.activation.name} use kind: standard {SELU}",
        )


def l2_is_not_weight_decay(experiment: Experiment) -> Iterator[Finding]:
    """Adam-like optimizers divide the penalty's gradient by the gradient's size."""
    if isinstance(experiment.optimizer, Nadam) and experiment.regularization.l2 > 0:
        yield Finding(
            ("regularization", "l2"),
            f"{experiment.optimizer.name} rescales every gradient, l2's too: weights with large "
            "gradients are hardly regularized (Loshchilov and Hutter, 2019)",
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
    architecture = experiment.architecture
    for index, layer in enumerate(architecture.hidden):
        chosen = layer.normalization or experiment.normalization
        before = isinstance(chosen, BatchNormalization) and chosen.place == "before_activation"
        if before and (architecture.use_bias if layer.use_bias is None else layer.use_bias) is True:
            own = ("architecture", "hidden", index, "use_bias")
            yield Finding(
                ("architecture", "use_bias") if layer.use_bias is None else own,
                "batch normalization subtracts what this bias adds; use_bias: auto leaves it out "
                "(Ioffe and Szegedy, 2015, section 3.2)",
            )
            return


RULES: tuple[Callable[[Experiment], Iterator[Finding]], ...] = (
    selu_needs_lecun,
    selu_needs_standardized_inputs,
    selu_needs_alpha_dropout,
    selu_without_l2,
    selu_without_max_norm,
    selu_without_normalization,
    alpha_dropout_is_for_selu,
    l2_is_not_weight_decay,
    clipping_by_value_turns,
    bias_before_batch_norm,
)
