"""The experiment: one frozen object that says everything about a training."""

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Strict, model_validator

from dnnlab.choices.activations import Activation, Relu
from dnnlab.choices.architectures import Architecture, LayerSettings
from dnnlab.choices.datasets import Data, Signature
from dnnlab.choices.gradient_clipping import GradientClipping
from dnnlab.choices.initializers import AutoInitializer, Initializer
from dnnlab.choices.losses import AutoLoss, CrossEntropy, Loss, MeanSquaredError
from dnnlab.choices.metrics import Metric, usual_metrics
from dnnlab.choices.normalizations import BatchNormalization, NoNormalization, Normalization
from dnnlab.choices.optimizers import Optimizer, Sgd
from dnnlab.choices.regularizers import Regularization
from dnnlab.choices.schedules import Constant, OneCycle, Performance, Schedule
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
    monitor: Literal["loss", "accuracy", "mae", "rmse", "r2"] = "loss"
    """The validation metric that says what is best: for early stopping and performance too."""
    evaluate_every: Epochs = Duration(epochs=1)
    """How often the validation split is evaluated and a record written."""
    checkpoint_every: Epochs = Duration(epochs=1)
    """How often the state is saved."""


class Experiment(Spec):
    """Everything that a training depends on but the data's bytes and the machine."""

    data: Data
    """What the net learns from."""
    architecture: Architecture
    """Which layers it has."""
    initializer: Initializer = AutoInitializer()
    """First weights of the hidden layers."""
    activation: Activation = Relu()
    """What hidden units do with their weighted sum."""
    normalization: Normalization = NoNormalization()
    """What keeps the scale of activations steady."""
    optimizer: Optimizer = Sgd()
    """How a gradient becomes an update."""
    schedule: Schedule = Constant()
    """How the learning rate moves."""
    regularization: Regularization = Regularization()
    """l2, dropout, max_norm, early_stopping."""
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
    def objective(self) -> CrossEntropy | MeanSquaredError:
        """The loss, which is no longer `auto`."""
        assert not isinstance(self.loss, AutoLoss), "auto is resolved while reading"
        return self.loss

    def resolved(self) -> "Experiment":
        """Returns the experiment with every `auto` that needs no machine replaced by its choice."""
        task = self.data.task_of_data
        initializer, loss, schedule = self.initializer, self.loss, self.schedule
        if isinstance(initializer, AutoInitializer):
            initializer = self.activation.initializer()
        if isinstance(loss, AutoLoss):
            loss = CrossEntropy() if task == "classification" else MeanSquaredError()
        if isinstance(schedule, OneCycle) and schedule.cycle_momentum == "auto":
            cycles = self.optimizer.own_momentum is not None
            schedule = schedule.model_copy(update={"cycle_momentum": cycles})
        return self.model_copy(
            update={
                "architecture": self.architecture.resolved(self._layer_settings()),
                "initializer": initializer,
                "loss": loss,
                "schedule": schedule,
                "metrics": self.metrics or usual_metrics(task),
            }
        )

    def _layer_settings(self) -> LayerSettings:
        return LayerSettings(
            activation=self.activation,
            initializer=self.initializer,
            normalization=self.normalization,
            dropout=self.regularization.dropout,
            l2=self.regularization.l2,
            max_norm=self.regularization.max_norm,
        )

    def network(self, signature: Signature) -> "Network":
        """Builds the net, without memory for its weights."""
        return self.architecture.build(signature, self._layer_settings())

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
    training, found = experiment.training, []
    task = experiment.data.task_of_data
    loss = experiment.loss
    if not isinstance(loss, AutoLoss) and loss.task != task:
        found.append(Finding(("loss",), f"{loss.name} is for {loss.task}, but data are for {task}"))
    for index, metric in enumerate(experiment.metrics):
        if metric.task != task:
            text = f"{metric.name} is for {metric.task}, but data are for {task}"
            found.append(Finding(("metrics", index), text))
    measured = {m.name for m in experiment.metrics or usual_metrics(task)} | {"loss"}
    if training.monitor not in measured:
        known = ", ".join(sorted(measured))
        text = f"{training.monitor} is not measured; this experiment measures {known}"
        found.append(Finding(("training", "monitor"), text))
    if experiment.data.validation is None:
        needs = {
            ("schedule",): isinstance(experiment.schedule, Performance),
            ("regularization", "early_stopping"): experiment.regularization.early_stopping,
        }
        for path, needed in needs.items():
            if needed:
                text = "looks at the validation split, but data.validation is null"
                found.append(Finding(path, text))
    schedule, optimizer = experiment.schedule, experiment.optimizer
    if (
        isinstance(schedule, OneCycle)
        and schedule.cycle_momentum is True
        and optimizer.own_momentum is None
    ):
        text = f"there is none to cycle: {optimizer.name} has momentum 0"
        found.append(Finding(("schedule", "cycle_momentum"), text))
    if isinstance(optimizer, Sgd) and optimizer.nesterov and optimizer.momentum == 0:
        text = "needs a momentum above 0, such as optimizer.momentum: 0.9"
        found.append(Finding(("optimizer", "nesterov"), text))
    return found


def contradictions_with_data(
    experiment: Experiment, num_train: int, num_validation: int
) -> list[Finding]:
    """Returns which settings the size of the data excludes."""
    found = []
    training = experiment.training
    size = training.batch_size
    if size > num_train:
        text = f"{size} is more than the {num_train} training examples"
        found.append(Finding(("training", "batch_size"), text))
    rest = num_train % size
    alone = size == 1 or (rest == 1 and training.last_batch == "keep")
    if alone and _normalizes_batches(experiment):
        why = "1" if size == 1 else f"{size} leaves a last batch of 1 of {num_train} examples"
        text = (
            f"{why}: batch normalization needs 2 or more "
            "(see normalization; or training.last_batch: drop)"
        )
        found.append(Finding(("training", "batch_size"), text))
    if experiment.data.validation is not None and num_validation < 1:
        found.append(Finding(("data", "validation"), "holds out no example"))
    return found


def _normalizes_batches(experiment: Experiment) -> bool:
    own = [layer.normalization for layer in experiment.architecture.hidden]
    return any(isinstance(n, BatchNormalization) for n in (experiment.normalization, *own))
