"""What a net is worth on a split: outputs of every example, then loss and metrics of the whole."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dnnlab.choices.metrics import Value
from dnnlab.experiment import Experiment
from dnnlab.kernels.network import Network
from dnnlab.training.data import Scaling, Split
from dnnlab.training.precision import computing

NUMBERS_AT_ONCE = 2**24
"""In the widest layer of one evaluation batch: 64 MiB in float32. Fixed: sums depend on it."""


@torch.no_grad()
def outputs_of(network: Network, inputs: Tensor, experiment: Experiment) -> Tensor:
    """Returns the net's outputs (N, num_outputs) for inputs (N, *input_shape), in evaluation mode.

    The net is left in training mode if it was. No random number is drawn.
    """
    module = network.module
    was_training = module.training
    module.eval()
    try:
        with computing(experiment.training.precision, inputs.device):
            parts = [module(batch) for batch in _batches(inputs, network)]
    finally:
        module.train(was_training)
    whole = torch.cat(parts)
    return whole if whole.dtype == torch.float64 else whole.float()


def _batches(inputs: Tensor, network: Network) -> Iterator[Tensor]:
    numbers_each = max(1, inputs[0].numel(), network.widest)
    return iter(torch.split(inputs, max(1, NUMBERS_AT_ONCE // numbers_each)))


def evaluate(
    network: Network,
    split: Split,
    scaling: Scaling,
    experiment: Experiment,
    *,
    tables: bool = False,
) -> dict[str, Value]:
    """Returns the loss, without penalties, and every metric of the experiment on a split.

    Metrics that are tables and no numbers are left out unless `tables`.

    The loss of a regression is in units of the standardized target; its metrics in the data's own.
    """
    if network.self_taught is not None:
        return _measured(network, split, experiment)
    outputs = outputs_of(network, split.inputs, experiment)
    targets = split.targets
    if experiment.pretraining is not None:
        outputs, targets = experiment.pretraining.asked(outputs, targets)
    values: dict[str, Value] = {"loss": float(experiment.loss.build()(outputs, targets))}
    if experiment.task == "regression":
        outputs, targets = (
            in_units_of_the_data(outputs, scaling),
            in_units_of_the_data(targets, scaling),
        )
    for metric in experiment.metrics:
        if metric.is_number or tables:
            values[metric.label] = metric.build()(outputs, targets)
    return values


@torch.no_grad()
def _measured(network: Network, split: Split, experiment: Experiment) -> dict[str, Value]:
    """Returns what a net that teaches itself measures of itself, in evaluation mode."""
    assert network.self_taught is not None
    module, measures = network.module, network.self_taught.measures
    was_training = module.training
    module.eval()
    try:
        with computing(experiment.training.precision, split.inputs.device):
            parts = [measures(batch) for batch in _batches(split.inputs, network)]
    finally:
        module.train(was_training)
    whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {name: float(numbers.double().mean()) for name, numbers in whole.items()}


def in_units_of_the_data(numbers: Tensor, scaling: Scaling) -> Tensor:
    """Undoes the standardization of a regression's targets, in float64."""
    return numbers.double() * scaling.target_scale + scaling.target_shift
