"""The lint: settings that are legal together but defeat each other. Warnings, never refusals.

A rule is a function of the experiment that yields findings, each with its reason and its source.
To add one: write it below and name it in RULES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dnnlab.choices.architectures.layers import Layer
from dnnlab.contradictions import Finding
from dnnlab.experiment import Experiment

Path = tuple[str | int, ...]

SELU = "(Klambauer et al., 2017)"
TINY_BATCH = 2
"""Examples of a batch whose mean and variance say nearly nothing."""
MOST_SATURATING = 5
"""Plain layers of sigmoid or tanh that Glorot and Bengio still trained with some effort."""
FAR_TOO_HIGH = 20
"""Times the usual rate: twice what a careful range test still finds now and then."""


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
    raw = experiment.data.standardize in ("range", "none") and not experiment.normalization.on_input
    if raw and any(_selu_layers(experiment)):
        yield Finding(
            ("data", "standardize"),
            "selu normalizes itself only if the inputs have mean 0 and sd 1: "
            f"standardize: per_feature {SELU}",
        )


def selu_needs_alpha_dropout(experiment: Experiment) -> Iterator[Finding]:
    """Ordinary dropout changes the mean and the variance that SELU keeps."""
    whole = experiment.regularization.dropout
    on_input = whole is not None and whole.where.on_input() and whole.rate > 0
    found = [(layer.place("dropout"), layer.dropout) for layer in _selu_layers(experiment)]
    if found and on_input:
        found.insert(0, (("regularization", "dropout"), whole))
    ordinary = [(place, each) for place, each in found if each and each.kind != "alpha"]
    for place, dropout in ordinary[:1]:
        yield Finding(
            place,
            "ordinary dropout breaks selu's self-normalization: "
            f"dropout: {{rate: {dropout.rate:g}, kind: alpha}} {SELU}",
        )


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

    def misplaced(layer: Layer) -> bool:
        alpha = layer.dropout is not None and layer.dropout.kind == "alpha"
        return alpha and layer.activation.name != "selu"

    for layer in _first(experiment.layers(), misplaced):
        yield Finding(
            (*layer.place("dropout"), "kind"),
            "alpha dropout keeps the mean and variance of selu units; with "
            f"{layer.activation.name} use kind: standard {SELU}",
        )


def selu_needs_a_plain_stack(experiment: Experiment) -> Iterator[Finding]:
    """The fixed point is that of dense layers on each other; a sum of two ways has another."""
    for layer in _first(
        _selu_layers(experiment), lambda each: not each.plain or each.kind != "dense"
    ):
        why = "connections skip this layer" if not layer.plain else f"this is a {layer.kind}"
        yield Finding(
            layer.place("activation"),
            f"selu normalizes itself in a plain stack of dense layers, but {why}; elu has no "
            f"such condition {SELU}",
        )


def penalties_are_not_weight_decay(experiment: Experiment) -> Iterator[Finding]:
    """Adam-like optimizers divide the penalty's gradient by the gradient's size."""
    if not experiment.optimizer.rescales:
        return
    for word in ("l1", "l2"):
        found: list[Path] = []
        if getattr(experiment.regularization, word) > 0:
            found.append(("regularization", word))
        found += [each.place(word) for each in experiment.layers() if getattr(each, word) > 0]
        for place in found[:1]:
            yield Finding(
                place,
                f"{experiment.optimizer.name} rescales every gradient, {word}'s too: weights with "
                "large gradients are hardly regularized; adamw decays them apart (Loshchilov and "
                "Hutter, 2019)",
            )


def max_norm_beside_decay(experiment: Experiment) -> Iterator[Finding]:
    """Two bounds on the same weights: the tighter one works, the other is idle or in the way."""

    def doubly_bound(layer: Layer) -> bool:
        return layer.max_norm is not None and (layer.l2 > 0 or experiment.optimizer.decay > 0)

    for layer in _first(experiment.layers(), doubly_bound):
        other = "l2" if layer.l2 > 0 else "weight_decay"
        yield Finding(
            layer.place("max_norm"),
            f"max_norm and {other} both keep weights small; one of them is enough to tune "
            "(Srivastava et al., 2014, section 5.1)",
        )


def tiny_batches_for_batch_norm(experiment: Experiment) -> Iterator[Finding]:
    """Mean and variance of two examples say little about all of them."""
    size = experiment.training.batch_size
    if size <= TINY_BATCH and experiment.architecture.normalizes_batches(experiment.layer_settings):
        yield Finding(
            ("training", "batch_size"),
            f"batch normalization with {size} examples knows mean and variance badly; group or "
            "layer normalization does not depend on the batch (Wu and He, 2018)",
        )


def one_cycle_cut_short(experiment: Experiment) -> Iterator[Finding]:
    """1cycle's gain comes with its last descent; the loss may well rise on the way there."""
    stopping, training = experiment.regularization.early_stopping, experiment.training
    if experiment.schedule.name != "one_cycle" or stopping is None:
        return
    patience, total = stopping.patience, training.epochs
    pairs = ((patience.epochs, total.epochs), (patience.updates, total.updates))
    if any(short and whole and short < whole / 4 for short, whole in pairs):
        yield Finding(
            ("regularization", "early_stopping"),
            "while 1cycle's rate is high the validation loss may rise for long: a patience under a "
            "quarter of the training can end it before the descent that pays (Smith, 2018)",
        )


def saturating_deep_stack(experiment: Experiment) -> Iterator[Finding]:
    """Where units saturate their gradients vanish, and the product over layers vanishes faster."""
    deep = [
        layer
        for layer in experiment.layers()
        if layer.activation.saturates
        and layer.plain
        and layer.kind == "dense"
        and layer.normalization.position is None
    ]
    if len(deep) > MOST_SATURATING:
        yield Finding(
            deep[0].place("activation"),
            f"{len(deep)} plain layers of {deep[0].activation.name} pass hardly any gradient to "
            "the first ones; elu, selu or a normalization would (Glorot and Bengio, 2010)",
        )


def dropout_before_batch_norm(experiment: Experiment) -> Iterator[Finding]:
    """Dropout changes the variance in training only; the moving average then fits neither mode."""
    whole = experiment.regularization.dropout
    on_input = whole is not None and whole.where.on_input() and whole.rate > 0
    dropped: Path | None = ("regularization", "dropout") if on_input else None
    for layer in experiment.layers():
        if dropped is not None and layer.normalization.over_the_batch:
            yield Finding(
                dropped,
                "dropout before a batch normalization makes its moving variance wrong in "
                "evaluation; drop behind the last one: where: {top: 1} (Li et al., 2018)",
            )
            return
        if layer.dropout is not None and dropped is None:
            dropped = layer.place("dropout")


def initializer_unlike_the_activation(experiment: Experiment) -> Iterator[Finding]:
    """The variance of first weights has to make up for what the activation cuts off."""
    families = ("glorot", "he", "lecun")

    def kin(name: str) -> str:
        return name.partition("_")[0]

    def unlike(layer: Layer) -> bool:
        chosen = kin(layer.initializer.name)
        suits = kin(layer.activation.initializer().name)
        by_itself = layer.normalization.position is not None or layer.activation.name == "selu"
        # LeCun made his for tanh; between layers of one width it is Glorot's.
        fits = chosen == suits or (chosen, suits) == ("lecun", "glorot")
        return chosen in families and not fits and not by_itself

    for layer in _first(experiment.layers(), unlike):
        suits = layer.activation.initializer().name
        yield Finding(
            layer.place("initializer"),
            f"{layer.initializer.name} is not for {layer.activation.name}, whose signal keeps its "
            f"size with {suits}; initializer: auto picks it (He et al., 2015, section 2.2)",
        )


def kernels_all_alike(experiment: Experiment) -> Iterator[Finding]:
    """Units that begin alike get the same gradients and stay alike: a layer of one unit."""
    for layer in _first(
        experiment.layers(), lambda each: each.initializer.name in ("zeros", "ones", "constant")
    ):
        yield Finding(
            layer.place("initializer"),
            f"{layer.initializer.name} makes all units of a layer begin and stay alike; first "
            "weights have to differ (Goodfellow, Bengio and Courville, 2016, section 8.4)",
        )


def activation_without_effect(experiment: Experiment) -> Iterator[Finding]:
    """Where every layer has its own, what is said of all of them is said of none."""
    default = type(experiment).model_fields["activation"].default
    chosen = experiment.activation
    if chosen != default and not any(each.activation == chosen for each in experiment.layers()):
        yield Finding(
            ("activation",),
            f"no layer takes {chosen.name}: the cells of an rnn have tanh, entries their own, "
            "outputs none (Hochreiter and Schmidhuber, 1997)",
        )


def schedule_longer_than_the_training(experiment: Experiment) -> Iterator[Finding]:
    """A schedule that is not over when the training is has not done what it is for."""
    total = experiment.training.epochs
    for key, length in experiment.schedule.lengths():
        pairs = ((length.epochs, total.epochs), (length.updates, total.updates))
        if any(part and whole and part > whole for part, whole in pairs):
            part = f"{length.epochs:g} epochs" if length.epochs else f"{length.updates} updates"
            yield Finding(
                ("schedule", key),
                f"{part} are not over before the training is: the rate will never be what comes "
                "after (Bengio, 2012, section 3.1)",
            )


def rate_far_too_high(experiment: Experiment) -> Iterator[Finding]:
    """A rate that is usual for one optimizer throws another one's weights away."""
    optimizer = experiment.optimizer
    if optimizer.lr > FAR_TOO_HIGH * optimizer.usual_lr:
        yield Finding(
            ("optimizer", "lr"),
            f"{optimizer.lr:g} is more than {FAR_TOO_HIGH} times {optimizer.name}'s usual "
            f"{optimizer.usual_lr:g}: the loss will probably not fall (Bengio, 2012, section 3.1)",
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


def moved_pixels_out_of_range(experiment: Experiment) -> Iterator[Finding]:
    """A pixel that hardly varies has a tiny deviation; what is moved there is divided by it."""
    augmentation = experiment.data.augmentation
    moves = augmentation is not None and augmentation.moves
    if moves and experiment.data.standardize == "per_feature":
        yield Finding(
            ("data", "standardize"),
            "per_feature divides each pixel by its own deviation: a shift moves content to border "
            "pixels that have hardly any; per_channel has one for all (Simonyan and Zisserman, "
            "2015, section 2.1)",
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


def machines_need_sigmoids(experiment: Experiment) -> Iterator[Finding]:
    """What a Boltzmann machine's unit says is a probability."""
    pretraining = experiment.pretraining
    if pretraining is None or pretraining.name != "rbm":
        return
    for layer in _first(experiment.layers(), lambda each: each.activation.name != "sigmoid"):
        yield Finding(
            layer.place("activation"),
            "a Boltzmann machine learns weights for sigmoid units; what reuses them has to have "
            f"these, and not {layer.activation.name} (Hinton, Osindero and Teh, 2006)",
        )


def adversaries_do_not_converge(experiment: Experiment) -> Iterator[Finding]:
    """Each net's loss falls where the other's rises: neither says what the layers are worth."""
    pretraining = experiment.pretraining
    if pretraining is None or pretraining.name != "gan":
        return
    for place in _looking_back(experiment):
        yield Finding(
            place,
            "of two adversaries one's loss rises where the other's falls: neither says when it is "
            "enough (Goodfellow et al., 2014, section 4)",
        )


def layers_that_wait_for_their_turn(experiment: Experiment) -> Iterator[Finding]:
    """Before the last layer has learned, the whole net's error says little of those below."""
    pretraining = experiment.pretraining
    if pretraining is None or not pretraining.phases(("dense1", "output")):
        return
    for place in _looking_back(experiment):
        yield Finding(
            place,
            "layers learn one after the other: the whole net's error falls when the last one's "
            "turn comes, and need not before (Bengio et al., 2007)",
        )


def _looking_back(experiment: Experiment) -> Iterator[Path]:
    """Yields the settings that act when a measurement is no longer better."""
    if experiment.regularization.early_stopping is not None:
        yield ("regularization", "early_stopping")
    if experiment.schedule.looks_back:
        yield ("schedule",)


RULES: tuple[Callable[[Experiment], Iterator[Finding]], ...] = (
    selu_needs_lecun,
    selu_needs_standardized_inputs,
    selu_needs_alpha_dropout,
    selu_without_penalties,
    selu_without_max_norm,
    selu_without_normalization,
    alpha_dropout_is_for_selu,
    selu_needs_a_plain_stack,
    penalties_are_not_weight_decay,
    max_norm_beside_decay,
    tiny_batches_for_batch_norm,
    one_cycle_cut_short,
    saturating_deep_stack,
    dropout_before_batch_norm,
    initializer_unlike_the_activation,
    kernels_all_alike,
    activation_without_effect,
    schedule_longer_than_the_training,
    rate_far_too_high,
    clipping_by_value_turns,
    moved_pixels_out_of_range,
    bias_before_batch_norm,
    machines_need_sigmoids,
    adversaries_do_not_converge,
    layers_that_wait_for_their_turn,
)
