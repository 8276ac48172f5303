from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.choices.schedules import Plateau, Span
from dnnlab.choices.schedules.cycles import OneCycle
from dnnlab.choices.schedules.falling import Constant
from dnnlab.choices.schedules.performance import Performance
from dnnlab.spec import Duration


def test_constant() -> None:
    assert [Constant().lr_factor(t, Span(10, 10)) for t in range(10)] == [1.0] * 10


def chapter_rate(t: int, total: int) -> float:
    """The chapter's OneCycleScheduler in closed form, for a peak of 1 and real-valued phases."""
    last = round(total * 0.1)
    half = (total - last) / 2
    if t < half:
        return 0.1 + 0.9 * t / half
    if t < 2 * half:
        return 1.0 - 0.9 * (t - half) / half
    return 0.1 + (1e-4 - 0.1) * (t - 2 * half) / (total - 1 - 2 * half)


def test_one_cycle_has_the_chapters_three_linear_phases() -> None:
    found = [OneCycle().lr_factor(t, Span(1000, 10)) for t in range(1000)]
    expected = [chapter_rate(t, 1000) for t in range(1000)]
    assert found == pytest.approx(expected, rel=1e-12)
    assert found[0] == 0.1
    assert found[450] == 1.0
    assert found[900] == pytest.approx(0.1, rel=1e-12)
    assert found[999] == pytest.approx(1e-4, rel=1e-9)


def test_one_cycle_moves_the_momentum_the_other_way() -> None:
    schedule = OneCycle(cycle_momentum=True)
    momentum = [schedule.momentum(t, Span(1000, 10)) for t in (0, 225, 450, 675, 900, 999)]
    assert momentum == pytest.approx([0.95, 0.90, 0.85, 0.90, 0.95, 0.95])
    assert OneCycle(cycle_momentum=False).momentum(0, Span(1000, 10)) is None


def test_the_cosine_shape_meets_the_linear_one_at_corners_and_middles() -> None:
    linear, cosine = OneCycle(), OneCycle(shape="cosine")
    for t in (0, 225, 450, 675, 900, 999):
        assert cosine.lr_factor(t, Span(1000, 10)) == pytest.approx(
            linear.lr_factor(t, Span(1000, 10)), rel=1e-9
        )
    quarter = 0.1 + 0.9 * (1 - math.cos(math.pi / 4)) / 2
    assert cosine.lr_factor(112, Span(1000, 10)) == pytest.approx(quarter, rel=0.01)


@given(total=st.integers(1, 500), final=st.floats(0, 1), start=st.floats(0.001, 1))
def test_one_cycle_stays_within_its_bounds_however_short(
    total: int, final: float, start: float
) -> None:
    schedule = OneCycle(final=final, start=start, end=0.0, cycle_momentum=True)
    for t in range(total):
        assert 0 <= schedule.lr_factor(t, Span(total, 10)) <= 1 + 1e-12
        momentum = schedule.momentum(t, Span(total, 10))
        assert momentum is not None
        assert 0.85 - 1e-12 <= momentum <= 0.95 + 1e-12


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
