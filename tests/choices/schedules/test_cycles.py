from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dnnlab.choices.schedules import Span
from dnnlab.choices.schedules.cycles import Cosine, OneCycle
from dnnlab.spec import Duration
from tests.choices.schedules.torchs import rates_of_torch
from tests.support import DIGITS, refusal_of


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


@given(
    total=st.integers(1, 500), final=st.just(0.0) | st.floats(1e-30, 1), start=st.floats(0.001, 1)
)
def test_one_cycle_stays_within_its_bounds_however_short(
    total: int, final: float, start: float
) -> None:
    schedule = OneCycle(final=final, start=start, end=0.0, cycle_momentum=True)
    for t in range(total):
        assert 0 <= schedule.lr_factor(t, Span(total, 10)) <= 1 + 1e-12
        momentum = schedule.momentum(t, Span(total, 10))
        assert momentum is not None
        assert 0.85 - 1e-12 <= momentum <= 0.95 + 1e-12


def test_cosine_is_half_a_wave() -> None:
    found = [Cosine().lr_factor(t, Span(1000, 10)) for t in range(1000)]
    expected = [math.cos(math.pi * t / 2000) ** 2 for t in range(1000)]  # (1 + cos 2x)/2 = cos² x
    assert found == pytest.approx(expected, abs=1e-12)
    assert Cosine(end=0.2).level(500, Span(1000, 10)) == pytest.approx(0.6)


def test_cosine_is_torchs_annealing() -> None:
    """Theirs goes from each rate to the next, which adds up to 1e-12 of rounding."""
    expected = rates_of_torch(
        torch.optim.lr_scheduler.CosineAnnealingLR, 300, T_max=300, eta_min=0.1
    )
    found = [Cosine(end=0.1).lr_factor(t, Span(300, 10)) for t in range(300)]
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("multiplier", [1, 2, 3])
def test_cosine_with_restarts_is_torchs(multiplier: int) -> None:
    expected = rates_of_torch(
        torch.optim.lr_scheduler.CosineAnnealingWarmRestarts,
        300,
        T_0=20,
        T_mult=multiplier,
        eta_min=0.1,
    )
    schedule = Cosine(first_cycle=Duration(epochs=2), multiplier=multiplier, end=0.1)
    found = [schedule.lr_factor(t, Span(300, 10)) for t in range(300)]
    assert found == pytest.approx(expected, rel=1e-9)


def test_cosine_begins_anew_after_20_60_and_140_updates() -> None:
    schedule = Cosine(first_cycle=Duration(updates=20))
    tops = [t for t in range(300) if schedule.level(t, Span(300, 10)) == 1.0]
    assert tops == [0, 20, 60, 140]


def test_cycles_that_shrink_are_refused() -> None:
    (sentence,) = refusal_of(f"{DIGITS}schedule: {{name: cosine, multiplier: 0}}\n")
    assert "schedule.multiplier: 0 is not at least 1" in sentence


def test_a_multiplier_is_of_cycles() -> None:
    with pytest.raises(ValidationError, match="multiplier is of cycles"):
        Cosine(multiplier=3)
