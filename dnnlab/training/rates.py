"""Learning rate and momentum of an update: the schedule's share of the optimizer's numbers."""

from __future__ import annotations

from dnnlab.experiment import Experiment
from dnnlab.plan import Plan
from dnnlab.training.state import State


def rates(experiment: Experiment, plan: Plan, state: State, update: int) -> tuple[float, float]:
    """Returns (learning rate, momentum) of update `update`, counted from 0.

    The state remembers what performance scheduling and going back have lowered the rate by.
    """
    schedule, optimizer = experiment.schedule, experiment.optimizer
    factor = schedule.lr_factor(update, plan.span) * state.plateau.factor * state.lr_factor
    momentum = schedule.momentum(update, plan.span)
    if momentum is None:
        momentum = optimizer.own_momentum or 0.0
    return optimizer.lr * factor, momentum
