"""The experiment: one frozen object that says everything about a training."""

import hashlib
import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, Strict, model_validator

from dnnlab.choices.activations import Activation
from dnnlab.choices.activations.rectified import Relu
from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import Layer, LayerSettings
from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.divergence import Divergence
from dnnlab.choices.gradient_clipping import GradientClipping
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.plain import Zeros
from dnnlab.choices.initializers.scaling import AutoInitializer
from dnnlab.choices.losses import AutoLoss, Loss, Task
from dnnlab.choices.metrics import Metric, usual_metrics
from dnnlab.choices.normalizations import NoNormalization, Normalization
from dnnlab.choices.optimizers import Optimizer
from dnnlab.choices.optimizers.descent import Sgd
from dnnlab.choices.pretraining import Pretraining
from dnnlab.choices.regularizers import Regularization
from dnnlab.choices.schedules import Schedule, Span
from dnnlab.choices.schedules.falling import Constant
from dnnlab.choices.transfer import Transfer
from dnnlab.plan import Plan
from dnnlab.spec import (
    Auto,
    Count,
    Device,
    Duration,
    Epochs,
    OrAuto,
    Shorthand,
    Spec,
    choice_name,
)

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
    divergence: Annotated[Divergence, Shorthand("then")] = Divergence(then="stop")
    """What happens when a number is no longer finite: stop, {skip: 10} leaves up to ten updates
    out, {rollback: {lr_factor: 0.5, max: 3}} goes back to a checkpoint, and on at a lower rate."""


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
    transfer: Transfer | None = None
    """Which layers of another net are reused, and when they learn on; for `dnnlab transfer`."""
    pretraining: Pretraining | None = None
    """What the net learns instead of its targets, so that its layers can be reused."""

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
        if self.pretraining is not None:
            return self.pretraining.task
        return "reconstruction" if self.architecture.reconstructs else self.data.task_of_data

    @property
    def learns_targets(self) -> bool:
        """Whether the targets of the data are learned from."""
        if self.pretraining is not None:
            return self.pretraining.learns_labels
        return self.task != "reconstruction"

    @property
    def teaches_itself(self) -> bool:
        """Whether the net has a loss of its own, and neither `loss` nor `metrics` a part in it."""
        return self.pretraining is not None and self.pretraining.measures is not None

    def resolved(self) -> "Experiment":
        """Returns the experiment with every `auto` that needs no machine replaced by its choice."""
        initializer, loss, pretraining = self.initializer, self.loss, self.pretraining
        if isinstance(initializer, AutoInitializer):
            initializer = self.activation.initializer()
        if pretraining is not None:
            settings = self.layer_settings
            pretraining = pretraining.resolved(self.architecture, settings, self.data)
        metrics = () if self.teaches_itself else self.metrics or usual_metrics(self.task)
        if isinstance(loss, AutoLoss) and not self.teaches_itself:
            picked = "cross_entropy" if self.task == "classification" else "mse"
            loss = Loss.named(picked)
        momentum = self.optimizer.own_momentum is not None
        return self.model_copy(
            update={
                "architecture": self.architecture.resolved(self.layer_settings),
                "initializer": initializer,
                "loss": loss,
                "schedule": self.schedule.resolved(optimizer_has_momentum=momentum),
                "metrics": metrics,
                "pretraining": pretraining,
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
        elif self.pretraining is not None:
            outputs = self.pretraining.num_outputs
        elif self.loss.one_output:
            outputs = 1
        shape = signature.input_shape
        if self.pretraining is not None:
            signature = Signature(shape, outputs, self.task)
            return self.pretraining.build(self.architecture, signature, self.layer_settings)
        if self.transfer is not None and self.transfer.resize_to is not None:
            shape = self.transfer.resize_to
        network = self.architecture.build(Signature(shape, outputs, self.task), self.layer_settings)
        return network if shape == signature.input_shape else network.resized(shape)

    def plan(self, num_train: int) -> Plan:
        """Says what the experiment means in updates, for a training split of this size."""
        training = self.training
        batches = num_train // training.batch_size
        if training.last_batch == "keep" and num_train % training.batch_size:
            batches += 1
        per_epoch = max(1, batches)
        stopping = self.regularization.early_stopping
        total = training.epochs.in_updates(per_epoch)
        return Plan(
            num_train=num_train,
            batch_size=training.batch_size,
            updates_per_epoch=per_epoch,
            total_updates=total,
            span=self.schedule.span(Span(total, per_epoch)),
            evaluate_every=training.evaluate_every.in_updates(per_epoch),
            checkpoint_every=training.checkpoint_every.in_updates(per_epoch),
            patience=stopping.patience.in_updates(per_epoch) if stopping else None,
        )

    def digest(self) -> str:
        """Returns the SHA-256 of all settings that a result depends on, but the machine: two
        trainings with the same one are the same.

        Settings at their default are left out, so that a new one does not change it.
        """
        free: dict[str, Any] = dict.fromkeys(("device", "threads"), "auto")
        if self.training.divergence.rollback is None:  # which goes back to checkpoints
            free["checkpoint_every"] = Training().checkpoint_every
        training = self.training.model_copy(update=free)
        settings = _deviations(self.model_copy(update={"training": training}))
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def _deviations(value: Any) -> Any:
    """Returns what differs from the defaults, with the name of every choice."""
    if isinstance(value, Spec):
        fields = type(value).model_fields
        return {
            key: _deviations(getattr(value, key))
            for key, field in fields.items()
            if key == "name" or field.is_required() or getattr(value, key) != field.default
        }
    return [_deviations(each) for each in value] if isinstance(value, tuple) else value
