"""What excludes each other: settings that are right one by one, and wrong together or for the data.

Unlike what the lint warns of, these cannot be trained at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dnnlab.choices.architectures.layers import NO_FAN, Layer
from dnnlab.choices.datasets import Signature
from dnnlab.choices.metrics import usual_metrics
from dnnlab.choices.optimizers.descent import Sgd
from dnnlab.experiment import Experiment


@dataclass(frozen=True)
class Finding:
    """Something about a setting, found after every setting by itself was right."""

    path: tuple[str | int, ...]
    message: str


def contradictions(experiment: Experiment) -> list[Finding]:
    """Returns which settings exclude each other. Each names both."""
    found = [
        *_task_conflicts(experiment),
        *_dropout_conflicts(experiment),
        *_layer_conflicts(experiment),
    ]
    found += [
        Finding(*each) for each in experiment.architecture.conflicts(experiment.layer_settings)
    ]
    found += [Finding(*each) for each in experiment.data.conflicts()]
    found += _pretraining_conflicts(experiment)
    if (signature := experiment.data.shape()) is not None:
        found += conflicts_with_shape(experiment, signature)
    schedule, optimizer = experiment.schedule, experiment.optimizer
    if experiment.data.validation is None:
        needs = {
            ("schedule",): schedule.looks_back,
            ("regularization", "early_stopping"): experiment.regularization.early_stopping,
        }
        for path, needed in needs.items():
            if needed:
                text = "looks at the validation split, but data.validation is null"
                found.append(Finding(path, text))
    if schedule.moves_momentum and optimizer.own_momentum is None:
        text = f"there is none to cycle: {optimizer.name} has momentum 0"
        found.append(Finding(("schedule", "cycle_momentum"), text))
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        text = "needs a momentum above 0, such as optimizer.momentum: 0.9"
        found.append(Finding(("optimizer", "nesterov"), text))
    return found


def _task_conflicts(experiment: Experiment) -> Iterator[Finding]:
    """The loss and the metrics have to fit what the net is to do."""
    if experiment.teaches_itself:
        yield from _conflicts_with_teaching_itself(experiment)
        return
    task, loss = experiment.task, experiment.loss
    if task not in loss.tasks:
        yield Finding(("loss",), f"{loss.name} is for {loss.tasks[0]}, but data are for {task}")
    named: set[str] = set()
    for index, metric in enumerate(experiment.metrics):
        if task not in metric.tasks:
            text = f"{metric.name} is for {metric.tasks[0]}, but data are for {task}"
            yield Finding(("metrics", index), text)
        if metric.label in named:
            yield Finding(("metrics", index), f"{metric.label} is named twice")
        named.add(metric.label)
    if experiment.regularization.label_smoothing > 0 and task != "classification":
        text = f"is for classification, but data are for {task}"
        yield Finding(("regularization", "label_smoothing"), text)
    metrics = experiment.metrics or usual_metrics(task)
    measured = {metric.label for metric in metrics if metric.is_number} | {"loss"}
    if experiment.training.monitor not in measured:
        known = ", ".join(sorted(measured))
        text = f"{experiment.training.monitor} is not measured; this experiment measures {known}"
        yield Finding(("training", "monitor"), text)


def _conflicts_with_teaching_itself(experiment: Experiment) -> Iterator[Finding]:
    """Where a net has a loss of its own, no other can be asked for."""
    pretraining = experiment.pretraining
    assert pretraining is not None
    own = f"pretraining {pretraining.name} has its own here"
    if experiment.loss.name != "auto":
        yield Finding(("loss",), f"{own}; leave it out")
    if experiment.metrics:
        yield Finding(("metrics",), f"{own}; leave them out")
    if experiment.regularization.label_smoothing > 0:
        yield Finding(("regularization", "label_smoothing"), f"{own} loss, without labels")
    known = ("loss", *(pretraining.measures or ()))
    if experiment.training.monitor not in known:
        text = f"{experiment.training.monitor} cannot be what is made small; {' or '.join(known)}"
        yield Finding(("training", "monitor"), text)


def _pretraining_conflicts(experiment: Experiment) -> Iterator[Finding]:
    """What excludes a lesson before the training proper."""
    pretraining, architecture = experiment.pretraining, experiment.architecture
    if pretraining is None:
        return
    if experiment.transfer is not None:
        text = "is for the training that reuses what pretraining has found: a config of its own"
        yield Finding(("transfer",), text)
    if architecture.reconstructs:
        text = f"{architecture.name} gives its inputs back by itself; pretraining is for other nets"
        yield Finding(("pretraining",), text)
    elif experiment.loss.one_output:
        yield Finding(("loss",), f"{experiment.loss.name} has one output; use cross_entropy")
    else:
        found = pretraining.conflicts(architecture, experiment.layer_settings, experiment.data)
        yield from (Finding(*each) for each in found)


DROPS = {"spatial": "convolution", "recurrent": "recurrent"}
"""The kind of layer that a kind of dropout is for, where it is not for all."""


def _dropout_conflicts(experiment: Experiment) -> Iterator[Finding]:
    """The dropout of the whole net has to reach a layer that it is for."""
    dropout = experiment.regularization.dropout
    needs = DROPS.get(dropout.kind) if dropout is not None else None
    if dropout is None or needs is None:
        return
    on_maps = needs == "convolution" and dropout.where.on_input()
    reached = [each for each in experiment.layers() if on_maps or each.dropout is dropout]
    if needs not in {layer.kind for layer in reached}:
        text = f"{dropout.kind} dropout is for {needs} layers, and reaches none here"
        yield Finding(("regularization", "dropout"), text)


def _layer_conflicts(experiment: Experiment) -> Iterator[Finding]:
    """What one layer cannot have. Each is said once, however many layers have it."""
    if not experiment.bias_initializer.fits_biases:
        yield Finding(("bias_initializer",), NO_FAN.format(experiment.bias_initializer.name))
    initializer = experiment.initializer
    if initializer.rescales_branches and not experiment.architecture.has_branches:
        yield Finding(("initializer",), f"{initializer.name} is for the architecture resnet")
    said: set[tuple[str | int, ...]] = set()
    for layer in experiment.layers():
        for setting, text in _of_one_layer(layer):
            place = layer.place(setting)
            if place not in said:
                said.add(place)
                yield Finding(place, text)


def _of_one_layer(layer: Layer) -> Iterator[tuple[str, str]]:
    """Yields which setting of a layer cannot be, and why."""
    groups = layer.normalization.must_divide
    if layer.width % groups:
        yield "normalization", f"{groups} groups do not divide a layer of {layer.width} units"
    if "bias_initializer" in layer.own and not layer.bias_initializer.fits_biases:
        yield "bias_initializer", NO_FAN.format(layer.bias_initializer.name)
    if "dropout" in layer.own and layer.dropout is not None:
        needs = DROPS.get(layer.dropout.kind, layer.kind)
        if needs != layer.kind:
            kind = layer.dropout.kind
            yield "dropout", f"{kind} dropout is for {needs} layers, and this one is {layer.kind}"


def conflicts_with_shape(experiment: Experiment, signature: Signature) -> list[Finding]:
    """Returns which settings the shape of the data excludes."""
    found = [Finding(*each) for each in experiment.architecture.conflicts_with(signature)]
    found += [Finding(*each) for each in experiment.data.conflicts_with(signature)]
    if experiment.pretraining is not None:
        found += [Finding(*each) for each in experiment.pretraining.conflicts_with(signature)]
        return found + _too_few_classes(experiment, experiment.pretraining.num_outputs)
    if experiment.task != "classification":
        return found
    found += _too_few_classes(experiment, signature.num_outputs)
    if experiment.loss.one_output and signature.num_outputs != 2:
        text = (
            f"{experiment.loss.name} is for two classes, but the data have "
            f"{signature.num_outputs}: cross_entropy, or data.positive: CLASS"
        )
        found.append(Finding(("loss",), text))
    return found


def _too_few_classes(experiment: Experiment, classes: int) -> list[Finding]:
    """Returns which metrics would always be 1."""
    return [
        Finding(("metrics", index), f"{metric.label} of {classes} classes is always 1")
        for index, metric in enumerate(experiment.metrics)
        if metric.needs_classes > classes
    ]


def contradictions_with_data(
    experiment: Experiment, signature: Signature, num_train: int, num_validation: int
) -> list[Finding]:
    """Returns which settings the shape and the size of the data exclude."""
    found = conflicts_with_shape(experiment, signature)
    training = experiment.training
    size = training.batch_size
    if size > num_train:
        text = f"{size} is more than the {num_train} training examples"
        found.append(Finding(("training", "batch_size"), text))
    rest = num_train % size
    alone = size == 1 or (rest == 1 and training.last_batch == "keep")
    if alone and experiment.architecture.normalizes_batches(experiment.layer_settings):
        why = f"{size} leaves a last batch of 1 of {num_train} examples" if size > 1 else "1"
        drop = "; or training.last_batch: drop" if size > 1 else ""
        text = f"{why}: batch normalization needs 2 or more (see normalization{drop})"
        found.append(Finding(("training", "batch_size"), text))
    if experiment.data.validation is not None and num_validation < 1:
        found.append(Finding(("data", "validation"), "holds out no example"))
    return found
