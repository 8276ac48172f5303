from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.choices.schedules import Schedule, Span
from dnnlab.choices.schedules.falling import (
    Constant,
    ExponentialDecay,
    LinearDecay,
    PiecewiseConstant,
    PowerDecay,
)
from dnnlab.spec import Duration
from tests.choices.schedules.torchs import rates_of_torch
from tests.support import DIGITS, refusal_of

SPAN = Span(total=1000, per_epoch=100)


def rates(schedule: Schedule, span: Span = SPAN) -> list[float]:
    return [schedule.lr_factor(t, span) for t in range(span.total)]


def test_constant() -> None:
    assert rates(Constant()) == [1.0] * 1000


# --- power ----------------------------------------------------------------------------------------


def test_power_is_a_half_then_a_third_then_a_quarter() -> None:
    found = rates(PowerDecay(s=Duration(epochs=2)))
    assert [found[t] for t in (0, 200, 400, 600)] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 4])


def test_power_in_closed_form() -> None:
    found = rates(PowerDecay(s=Duration(updates=30), c=0.5))
    assert found == pytest.approx([1 / math.sqrt(1 + t / 30) for t in range(1000)], rel=1e-12)


@pytest.mark.parametrize("c", [0.01, 0.5, 1.0, 2.0, 10.0])
def test_power_alone_ends_at_a_tenth(c: float) -> None:
    for total in (1, 10, 100_000):
        assert PowerDecay(c=c).level(total, Span(total, 10)) == pytest.approx(0.1)
    assert PowerDecay(c=c).level(0, SPAN) == 1.0


# --- exponential ----------------------------------------------------------------------------------


def test_exponential_falls_by_ten_in_every_stretch() -> None:
    found = rates(ExponentialDecay(s=Duration(epochs=3)))
    assert [found[t] for t in (0, 150, 300, 600)] == pytest.approx([1, 10**-0.5, 0.1, 0.01])


def test_exponential_is_torchs_with_the_factor_of_one_update() -> None:
    found = rates(ExponentialDecay(s=Duration(updates=40), factor=0.3))
    expected = rates_of_torch(torch.optim.lr_scheduler.ExponentialLR, 1000, gamma=0.3 ** (1 / 40))
    assert found == pytest.approx(expected, rel=1e-10)  # theirs multiplies 1,000 times


def test_exponential_alone_ends_at_a_tenth() -> None:
    assert ExponentialDecay().level(1000, SPAN) == pytest.approx(0.1)
    assert ExponentialDecay(factor=0.5).level(1000, SPAN) == 0.5


# --- piecewise constant ---------------------------------------------------------------------------


def test_the_update_that_is_a_boundary_keeps_the_old_rate() -> None:
    """As in Keras, `step <= boundary`; torch's milestone has the new rate: off by one."""
    boundaries = (Duration(updates=3), Duration(updates=5))
    found = rates(PiecewiseConstant(boundaries=boundaries, factors=(1.0, 0.5, 0.25)), Span(8, 4))
    assert found == [1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    torchs = rates_of_torch(torch.optim.lr_scheduler.MultiStepLR, 8, milestones=[3, 5], gamma=0.5)
    assert torchs == [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_boundaries_may_be_epochs() -> None:
    found = rates(PiecewiseConstant(), Span(2000, 100))
    assert [found[t] for t in (0, 500, 501, 1500, 1501, 1999)] == [1, 1, 0.5, 0.5, 0.1, 0.1]


def test_the_rate_may_rise_too() -> None:
    schedule = PiecewiseConstant(boundaries=(Duration(epochs=1),), factors=(0.1, 1.0))
    assert (schedule.level(100, SPAN), schedule.level(101, SPAN)) == (0.1, 1.0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("boundaries: [5]", "there must be one factor more than boundaries: 2, not 3"),
        ("factors: [1]", "there must be one factor more than boundaries: 3, not 1"),
        ("boundaries: []", "there must be one factor more than boundaries: 1, not 3"),
        ("boundaries: [5, 5]", "boundaries must rise, but 5 comes after 5"),
        ("boundaries: [5, 2]", "boundaries must rise, but 2 comes after 5"),
        ("boundaries: [5, {updates: 900}]", "give all boundaries in epochs, or all in updates"),
        ("boundaries: 5", "5 is not a list"),
        ("boundaries: [5, 0]", "boundaries[1]: 0 is not greater than 0"),
        ("factors: [1, 0, 0.1]", "factors[1]: 0 is not greater than 0"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(settings: str, sentence: str) -> None:
    (found,) = refusal_of(f"{DIGITS}schedule: {{name: piecewise_constant, {settings}}}\n")
    assert found.startswith("5:")
    assert sentence in found


# --- linear ---------------------------------------------------------------------------------------


def test_linear() -> None:
    assert rates(LinearDecay()) == pytest.approx([1 - t / 1000 for t in range(1000)])
    found = rates(LinearDecay(end=0.2, over=Duration(epochs=4)))
    assert [found[t] for t in (0, 200, 400, 999)] == pytest.approx([1, 0.6, 0.2, 0.2])


def test_linear_is_torchs_linear() -> None:
    kind = torch.optim.lr_scheduler.LinearLR
    expected = rates_of_torch(kind, 100, start_factor=1.0, end_factor=0.1, total_iters=60)
    found = rates(LinearDecay(end=0.1, over=Duration(updates=60)), Span(100, 10))
    assert found == pytest.approx(expected, rel=1e-10)


# --- all ------------------------------------------------------------------------------------------


@given(total=st.integers(1, 300), per_epoch=st.integers(1, 50))
def test_none_of_these_ever_rises(total: int, per_epoch: int) -> None:
    decays = (PowerDecay(), ExponentialDecay(), PiecewiseConstant(), LinearDecay())
    for schedule in decays:
        found = rates(schedule, Span(total, per_epoch))
        assert found[0] == 1.0
        assert all(after <= before for before, after in zip(found, found[1:], strict=False))
