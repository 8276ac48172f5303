"""The experiment: one frozen object that says everything about a training."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Strict, model_validator

from dnnlab.choices.activations import Activation
from dnnlab.choices.activations.rectified import Relu
from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import Layer, LayerSettings
from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.gradient_clipping import GradientClipping
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.plain import Zeros
from dnnlab.choices.initializers.scaling import AutoInitializer
from dnnlab.choices.losses import AutoLoss, Loss, Task
from dnnlab.choices.metrics import Metric, usual_metrics
from dnnlab.choices.normalizations import NoNormalization, Normalization
from dnnlab.choices.optimizers import Optimizer
from dnnlab.choices.optimizers.descent import Sgd
from dnnlab.choices.regularizers import Regularization
from dnnlab.choices.schedules import Schedule
from dnnlab.choices.schedules.falling import Constant
from dnnlab.plan import Plan
from dnnlab.spec import Auto, Count, Device, Duration, Epochs, OrAuto, Spec, choice_name

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


class Training(Spec):
    """How long, how much at a time, where, and how often one looks."""

    epochs: Epochs = Duration(epochs=10)
    """Length of the training: passes over the training split, or {updates: n}."""
    batch_size: Count = 32
    """Examples per update."""
    last_batch: Literal["keep", "drop"] = "keep"
    """What becomes of the smaller batch that an epoch may end with."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """From it follow the first weights, the order of the examples and every dropout mask."""
    device: Device = "auto"
    """auto (a CUDA device if there is one), cpu, cuda or cuda:1."""
    threads: Annotated[Annotated[int, Field(ge=1, le=1024)] | Auto, OrAuto()] = "auto"
    """CPU threads. Results depend on their number; auto picks by the size of the net."""
    precision: Literal["float32", "bfloat16", "float16", "float64"] = "float32"
    """bfloat16 and float16 compute products in 16 bits and keep the weights in 32."""
    monitor: str = "loss"
    """The validation metric that says what is best, for early stopping and performance too: loss,
    or a metric of the experiment, such as accuracy or top_5."""
    evaluate_every: Epochs = Duration(epochs=1)
    """How often the validation split is evaluated and a record written."""
    checkpoint_every: Epochs = Duration(epochs=1)
    """How often the state is saved."""


class Experiment(Spec):
    """Everything that a training depends on but the data's bytes and the machine."""

    data: Dataset
    """What the net learns from."""
    architecture: Architecture
    """Which layers it has."""
    initializer: Initializer = AutoInitializer()
    """First weights of the hidden layers."""
    bias_initializer: Initializer = Zeros()
    """First biases of all layers."""
    activation: Activation = Relu()
    """What hidden units do with their weighted sum."""
    normalization: Normalization = NoNormalization()
    """What keeps the scale of activations steady."""
    optimizer: Optimizer = Sgd()
    """How a gradient becomes an update."""
    schedule: Schedule = Constant()
    """How the learning rate moves."""
    regularization: Regularization = Regularization()
    """l1, l2, dropout, max_norm, label_smoothing, early_stopping."""
    gradient_clipping: GradientClipping | None = None
    """value, norm or norm_per_tensor."""
    loss: Loss = AutoLoss()
    """What training makes small."""
    metrics: Annotated[tuple[Metric, ...], Strict(False)] = ()
    """What is measured beside the loss; empty for the usual ones of the task."""
    training: Training = Training()
    """How long, on what, how often."""

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_default_choice(cls, data: Any) -> Any:
        """`{lr: 0.1}` without a name changes the choice that would stand there by default."""
        if not isinstance(data, dict):
            return data
        named = {}
        for key, field in cls.model_fields.items():
            given, default = data.get(key), field.default
            if not isinstance(given, dict) or not isinstance(default, Spec) or "name" in given:
                continue
            word = choice_name(type(default))
            if word and given.keys() <= type(default).model_fields.keys():
                named[key] = {"name": word, **given}
        return {**data, **named}

    @property
    def task(self) -> Task:
        """What the net is to do with the data: an autoencoder gives its inputs back."""
        return "reconstruction" if self.architecture.reconstructs else self.data.task_of_data

    def resolved(self) -> "Experiment":
        """Returns the experiment with every `auto` that needs no machine replaced by its choice."""
        initializer, loss = self.initializer, self.loss
        if isinstance(initializer, AutoInitializer):
            initializer = self.activation.initializer()
        if isinstance(loss, AutoLoss):
            picked = "cross_entropy" if self.task == "classification" else "mse"
            loss = Loss.named(picked)
        momentum = self.optimizer.own_momentum is not None
        return self.model_copy(
            update={
                "architecture": self.architecture.resolved(self.layer_settings),
                "initializer": initializer,
                "loss": loss,
                "schedule": self.schedule.resolved(optimizer_has_momentum=momentum),
                "metrics": self.metrics or usual_metrics(self.task),
            }
        )

    @property
    def layer_settings(self) -> LayerSettings:
        """What every layer has unless its own entry says otherwise."""
        return LayerSettings(
            activation=self.activation,
            initializer=self.initializer,
            bias_initializer=self.bias_initializer,
            normalization=self.normalization,
            dropout=self.regularization.dropout,
            l1=self.regularization.l1,
            l2=self.regularization.l2,
            max_norm=self.regularization.max_norm,
        )

    def layers(self) -> Iterator[Layer]:
        """Yields the hidden layers with all their settings."""
        return self.architecture.layers(self.layer_settings)

    def network(self, signature: Signature) -> "Network":
        """Builds the net for data of this shape, without memory for its weights."""
        outputs = signature.num_outputs
        if self.task == "reconstruction":
            outputs = math.prod(signature.input_shape)
        elif self.loss.one_output:
            outputs = 1
        signature = Signature(signature.input_shape, outputs, self.task)
        return self.architecture.build(signature, self.layer_settings)

    def plan(self, num_train: int) -> Plan:
        """Says what the experiment means in updates, for a training split of this size."""
        training = self.training
        batches = num_train // training.batch_size
        if training.last_batch == "keep" and num_train % training.batch_size:
            batches += 1
        per_epoch = max(1, batches)
        stopping = self.regularization.early_stopping
        return Plan(
            num_train=num_train,
            batch_size=training.batch_size,
            updates_per_epoch=per_epoch,
            total_updates=training.epochs.in_updates(per_epoch),
            evaluate_every=training.evaluate_every.in_updates(per_epoch),
            checkpoint_every=training.checkpoint_every.in_updates(per_epoch),
            patience=stopping.patience.in_updates(per_epoch) if stopping else None,
        )

    def digest(self) -> str:
        """Returns the SHA-256 of all settings: two trainings with the same one are the same."""
        settings = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()


@dataclass(frozen=True)
class Finding:
    """Something about a setting, found after every setting by itself was right."""

    path: tuple[str | int, ...]
    message: str


def contradictions(experiment: Experiment) -> list[Finding]:
    """Returns which settings exclude each other. Each names both."""
    found = [*_task_conflicts(experiment), *_layer_conflicts(experiment)]
    found += [
        Finding(*each) for each in experiment.architecture.conflicts(experiment.layer_settings)
    ]
    found += [Finding(*each) for each in experiment.data.conflicts()]
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
    task, loss = experiment.task, experiment.loss
    if task not in loss.tasks:
        yield Finding(("loss",), f"{loss.name} is for {loss.tasks[0]}, but data are for {task}")
    for index, metric in enumerate(experiment.metrics):
        if task not in metric.tasks:
            text = f"{metric.name} is for {metric.tasks[0]}, but data are for {task}"
            yield Finding(("metrics", index), text)
    if experiment.regularization.label_smoothing > 0 and task != "classification":
        text = f"is for classification, but data are for {task}"
        yield Finding(("regularization", "label_smoothing"), text)
    metrics = experiment.metrics or usual_metrics(task)
    measured = {metric.label for metric in metrics if metric.is_number} | {"loss"}
    if experiment.training.monitor not in measured:
        known = ", ".join(sorted(measured))
        text = f"{experiment.training.monitor} is not measured; this experiment measures {known}"
        yield Finding(("training", "monitor"), text)


def _layer_conflicts(experiment: Experiment) -> Iterator[Finding]:
    """What one layer cannot have. Each is said once, however many layers have it."""
    if not experiment.bias_initializer.fits_biases:
        yield Finding(("bias_initializer",), _NO_FAN.format(experiment.bias_initializer.name))
    architecture = experiment.architecture
    if experiment.initializer.rescales_branches and not architecture.has_branches:
        text = f"{experiment.initializer.name} is for the architecture resnet"
        yield Finding(("initializer",), text)
    said: set[tuple[str | int, ...]] = set()
    for layer in experiment.layers():
        kind = layer.dropout.kind if layer.dropout else ""
        misses = {"spatial": architecture.drops_maps, "recurrent": architecture.drops_memory}
        if not misses.get(kind, True) and layer.place("dropout") not in said:
            said.add(layer.place("dropout"))
            needs = {"spatial": "feature maps", "recurrent": "a memory"}[kind]
            text = (
                f"{kind} dropout drops {needs}, and the architecture {architecture.name} has none"
            )
            yield Finding(layer.place("dropout"), text)
        groups = layer.normalization.must_divide
        if layer.width % groups and layer.place("normalization") not in said:
            said.add(layer.place("normalization"))
            text = f"{groups} groups do not divide the {layer.width} units of {layer.path[-1]}"
            yield Finding(layer.place("normalization"), text)
        own = "bias_initializer" in layer.own and not layer.bias_initializer.fits_biases
        if own and layer.place("bias_initializer") not in said:
            said.add(layer.place("bias_initializer"))
            yield Finding(
                layer.place("bias_initializer"), _NO_FAN.format(layer.bias_initializer.name)
            )


_NO_FAN = "{} follows from a layer's inputs and outputs; a bias has none: zeros, constant"


def conflicts_with_shape(experiment: Experiment, signature: Signature) -> list[Finding]:
    """Returns which settings the shape of the data excludes."""
    found = [Finding(*each) for each in experiment.architecture.conflicts_with(signature)]
    found += [Finding(*each) for each in experiment.data.conflicts_with(signature)]
    if experiment.loss.one_output and signature.num_outputs != 2:
        text = (
            f"{experiment.loss.name} is for two classes, but the data have "
            f"{signature.num_outputs}: cross_entropy, or data.positive: CLASS"
        )
        found.append(Finding(("loss",), text))
    return found


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
        why = "1" if size == 1 else f"{size} leaves a last batch of 1 of {num_train} examples"
        text = (
            f"{why}: batch normalization needs 2 or more "
            "(see normalization; or training.last_batch: drop)"
        )
        found.append(Finding(("training", "batch_size"), text))
    if experiment.data.validation is not None and num_validation < 1:
        found.append(Finding(("data", "validation"), "holds out no example"))
    return found
