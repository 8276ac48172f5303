from __future__ import annotations

import math

import torch

from dnnlab.choices.schedules import Plateau, Span
from dnnlab.choices.schedules.performance import Performance
from dnnlab.spec import Duration


def test_performance_counts_like_the_chapters_plateau_callback() -> None:
    """Patience 2, factor .5: the second evaluation without a new best lowers the rate."""
    schedule = Performance(patience=Duration(epochs=2), min_delta=0.01)
    losses = [1.0, 0.9, 0.895, 0.91, 0.92, 0.93, 0.5, 0.6]
    factors, plateau = [], Plateau()
    for epoch, loss in enumerate(losses, start=1):
        plateau = schedule.observe(plateau, loss, step=10 * epoch, per_epoch=10)
        factors.append(plateau.factor)
    assert factors == [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25]
    assert plateau.best == 0.5


def test_performance_has_a_floor_and_takes_no_nan_for_better() -> None:
    schedule = Performance(patience=Duration(updates=1), min_lr_factor=0.3)
    plateau = schedule.observe(Plateau(), 1.0, step=1, per_epoch=10)
    for step in range(2, 6):
        plateau = schedule.observe(plateau, math.inf, step=step, per_epoch=10)
    assert (plateau.factor, plateau.best) == (0.3, 1.0)
    assert schedule.observe(Plateau(), math.inf, step=1, per_epoch=10).best is None


def factors(schedule: Performance, losses: list[float]) -> list[float]:
    """Returns the factor after each of these evaluations, one an epoch."""
    found, plateau = [], Plateau()
    for epoch, loss in enumerate(losses, start=1):
        plateau = schedule.observe(plateau, loss, step=10 * epoch, per_epoch=10)
        found.append(plateau.factor)
    return found


def factors_of_torch(losses: list[float], **settings: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings)  # type: ignore[arg-type]
    found = []
    for loss in losses:
        schedule.step(loss)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_torch_waits_one_evaluation_longer() -> None:
    """Keras and we lower the rate when `patience` evaluations were no better, torch after that."""
    losses = [1.0] * 7
    ours = factors(Performance(patience=Duration(epochs=2)), losses)
    assert ours == [1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]
    assert factors_of_torch(losses, patience=2, factor=0.5) == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    assert factors_of_torch(losses, patience=1, factor=0.5) == ours


def test_torchs_threshold_is_a_share_of_the_best_and_ours_an_amount() -> None:
    """From 0.1 to 0.095 are 5 %, but only 0.005."""
    losses = [0.1, 0.095]
    schedule = Performance(patience=Duration(epochs=1), min_delta=0.01)
    assert factors(schedule, losses) == [1, 0.5]
    assert factors_of_torch(losses, patience=0, factor=0.5, threshold=0.01) == [1, 1]
    settings = {"patience": 0, "factor": 0.5, "threshold": 0.01, "threshold_mode": "abs"}
    assert factors_of_torch(losses, **settings) == [1, 0.5]  # type: ignore[arg-type]


def test_performance_itself_leaves_the_rate_alone() -> None:
    assert [Performance().lr_factor(t, Span(9, 3)) for t in range(9)] == [1.0] * 9


def test_better_by_exactly_min_delta_is_not_better() -> None:
    """Keras's `monitor_op(current, best)` is current < best - min_delta, too."""
    schedule = Performance(patience=Duration(epochs=9), min_delta=0.25)
    best = schedule.observe(Plateau(), 1.0, step=1, per_epoch=1)
    same = schedule.observe(best, 0.75, step=2, per_epoch=1)
    assert (same.best, same.since) == (1.0, 1)
    better = schedule.observe(best, 0.5, step=2, per_epoch=1)
    assert (better.best, better.since) == (0.5, 2)
