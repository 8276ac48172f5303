from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dnnlab.training.rates import rates
from tests.support import session_of

START = """
data: digits
architecture: {name: mlp, hidden: [4]}
training: {epochs: {updates: 20}, batch_size: 25, threads: 1}
"""


def rates_of(
    text: str, folder: Path, update: int, *, lowered: float = 1.0, after_going_back: float = 1.0
) -> tuple[float, float]:
    session = session_of(START + text, folder=folder)
    session.state.plateau = replace(session.state.plateau, factor=lowered)
    session.state.lr_factor = after_going_back
    return rates(session.experiment, session.plan, session.state, update)


def test_one_cycle_moves_both(tmp_path: Path) -> None:
    """The first rate is a tenth of the highest, which stands in the middle of 20 less the tail."""
    text = "optimizer: {name: sgd, lr: 0.5, momentum: 0.9}\nschedule: one_cycle"
    assert rates_of(text, tmp_path, 0) == pytest.approx((0.05, 0.95))
    assert rates_of(text, tmp_path, 9) == pytest.approx((0.5, 0.85))


@pytest.mark.parametrize(
    ("optimizer", "momentum"),
    [("{name: nadam, beta1: 0.8}", 0.8), ("{name: sgd, lr: 1e-3}", 0.0)],
)
def test_a_schedule_without_momentum_leaves_the_optimizers_own(
    optimizer: str, momentum: float, tmp_path: Path
) -> None:
    assert rates_of(f"optimizer: {optimizer}", tmp_path, 5) == (1e-3, momentum)


def test_what_performance_scheduling_remembers_lowers_the_rate(tmp_path: Path) -> None:
    text = "optimizer: {name: sgd, lr: 0.5}\nschedule: performance"
    assert rates_of(text, tmp_path, 3, lowered=0.25)[0] == 0.125


def test_going_back_lowers_whatever_the_schedule_says(tmp_path: Path) -> None:
    text = "optimizer: {name: sgd, lr: 0.5, momentum: 0.9}\nschedule: one_cycle"
    assert rates_of(text, tmp_path, 9, after_going_back=0.25) == pytest.approx((0.125, 0.85))
