"""What all schedules share: the warm-up, and that a name alone is one."""

from __future__ import annotations

import pytest

from dnnlab.choices.schedules import Schedule, Span
from dnnlab.spec import Duration
from tests.support import DIGITS, experiment_of

SPAN = Span(total=1000, per_epoch=100)
NAMES = list(Schedule.members)


def rates(schedule: Schedule, span: Span = SPAN) -> list[float]:
    return [schedule.lr_factor(t, span) for t in range(span.total)]


def test_they_stand_in_the_chapters_order() -> None:
    chapter = ["power", "exponential", "piecewise_constant", "performance", "one_cycle"]
    assert [name for name in NAMES if name in chapter] == chapter


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("total", [1, 2, 7, 1000])
def test_a_name_alone_is_a_schedule_whatever_the_length(name: str, total: int) -> None:
    schedule = experiment_of(f"{DIGITS}schedule: {name}\n").schedule
    found = rates(schedule, Span(total, 3))
    assert all(0 < rate <= 1 for rate in found)


@pytest.mark.parametrize("name", NAMES)
def test_the_warm_up_climbs_in_a_straight_line_to_the_schedules_rate(name: str) -> None:
    """Over 200 updates: the first has 1/200 of the schedule's rate, the 200th all of it."""
    cold = Schedule.named(name)
    warm = cold.model_copy(update={"warm_up": Duration(epochs=2)})
    found, without = rates(warm), rates(cold)
    assert found[:200] == pytest.approx([(t + 1) / 200 * without[t] for t in range(200)])
    assert found[199:] == without[199:]
    assert found[0] == pytest.approx(without[0] / 200)


def test_a_warm_up_of_one_update_is_none() -> None:
    schedule = Schedule.named("linear")
    warm = schedule.model_copy(update={"warm_up": Duration(updates=1)})
    assert rates(warm) == rates(schedule)


@pytest.mark.parametrize("name", NAMES)
def test_only_one_cycle_moves_the_momentum(name: str) -> None:
    schedule = Schedule.named(name).resolved(optimizer_has_momentum=True)
    moves = any(schedule.momentum(t, SPAN) is not None for t in range(1000))
    assert moves == schedule.moves_momentum == (name == "one_cycle")
