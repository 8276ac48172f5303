from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnlab.methods.range_curve import (
    HALF_WINDOW,
    STABLE,
    Floats,
    analyze,
    has_diverged,
    rates_between,
    smooth,
)

COUNT = 500
LR = rates_between(1e-5, 10, COUNT)
DECADES = 6 / (COUNT - 1)
X = np.log10(LR)


def curve(turning: float = 0.3, fall_at: float = 3e-3, base: float = 0.6) -> Floats:
    """A loss of 2.3 that falls to `base` around a rate and rises with the square from `turning`."""
    fallen = 1 / (1 + np.exp(-(X - math.log10(fall_at)) / 0.25))
    risen = np.where(turning < LR, (LR / turning) ** 2 - 1, 0.0)
    return np.asarray(2.3 + (base - 2.3) * fallen + risen)


def noisy(values: Floats, deviation: float, seed: int = 0) -> Floats:
    return values + deviation * np.random.default_rng(seed).normal(size=len(values))


def decades_between(one: float | None, other: float) -> float:
    assert one is not None
    return abs(math.log10(one / other))


# --- rates and smoothing -----------------------------------------------------------------------


def test_rates_rise_by_the_same_factor_and_meet_both_ends() -> None:
    lr = rates_between(1e-5, 10, 500)
    assert lr[0] == pytest.approx(1e-5)
    assert lr[-1] == pytest.approx(10)
    assert lr[1:] / lr[:-1] == pytest.approx(10 ** (6 / 499))


@settings(max_examples=40, deadline=None)
@given(st.floats(-5, 5), st.floats(-5, 5), st.integers(2, 120))
def test_what_is_straight_smooths_to_itself_at_the_ends_too(
    level: float, slope: float, count: int
) -> None:
    line = level + slope * 0.01 * np.arange(count, dtype=np.float64)
    fitted = smooth(line, 0.01)
    assert fitted.values == pytest.approx(line, abs=1e-10)
    assert fitted.slopes == pytest.approx(slope, abs=1e-7)


def test_smoothing_does_not_lag() -> None:
    """What is symmetric around a rate stays so, where a running mean would be late."""
    bump = np.exp(-(((np.arange(201) - 100) / 15) ** 2))
    values = smooth(bump, 0.01).values
    assert values == pytest.approx(values[::-1])
    assert np.argmax(values) == 100


def test_the_slope_is_that_of_a_decade_of_the_rate() -> None:
    """Of a parabola in log10 lr, a symmetric window has the slope exactly."""
    fitted = smooth(X**2, DECADES)
    inner = slice(60, -60)
    assert fitted.slopes[inner] == pytest.approx(2 * X[inner], abs=1e-9)


def test_gains_are_the_standard_errors_of_smoothed_noise() -> None:
    """Smoothing is linear: the rows of its matrix are seen one column at a time."""
    matrix = np.column_stack([smooth(column, 0.05).values for column in np.eye(60)])
    assert np.linalg.norm(matrix, axis=1) == pytest.approx(smooth(np.ones(60), 0.05).gains)


# --- points --------------------------------------------------------------------------------------


@pytest.mark.parametrize("deviation", [0.0, 0.1, 0.4])
@pytest.mark.parametrize(
    ("turning", "fall_at", "base"), [(0.3, 3e-3, 0.6), (3e-3, 1e-4, 0.6), (1.0, 1e-3, -4.0)]
)
def test_the_points_of_a_curve_that_is_written_down(
    turning: float, fall_at: float, base: float, deviation: float
) -> None:
    found = analyze(
        LR, [noisy(curve(turning, fall_at, base), deviation, seed) for seed in range(3)]
    )
    assert found.refusal is None
    # The window looks HALF_WINDOW ahead: the rise may be felt half of that early.
    assert decades_between(found.turning_point, turning) < HALF_WINDOW / 2
    assert decades_between(found.steepest, fall_at) < 0.3
    assert decades_between(found.constant, turning / 10) < HALF_WINDOW / 2 + 0.02
    assert decades_between(found.one_cycle, turning / 5) < HALF_WINDOW / 2 + 0.02
    assert found.turning_point is not None
    assert found.high == pytest.approx(STABLE * found.turning_point)
    # The logistic function is 0.1 where its exponent is log(9).
    begun = 10 ** (math.log10(fall_at) - 0.25 * math.log(9))
    assert decades_between(found.low, min(begun, turning / 10)) < 0.2
    assert found.fall == pytest.approx(2.3 - base, rel=0.15)


def test_the_noise_is_that_of_the_mean_over_orders() -> None:
    found = analyze(LR, [noisy(curve(), 0.3, seed) for seed in range(9)])
    assert found.noise == pytest.approx(0.3 / 3, rel=0.2)


def test_the_minimum_of_a_flat_valley_is_anywhere_but_the_turning_point_is_not() -> None:
    found = [analyze(LR, [noisy(curve(1.0, 1e-3), 0.2, seed)]) for seed in range(10)]
    minima = [math.log10(each.minimum or 0) for each in found]
    turnings = [math.log10(each.turning_point or 0) for each in found]
    assert np.std(turnings) < 0.1 < np.std(minima)


def test_a_bump_that_is_small_beside_the_fall_turns_nothing() -> None:
    bump = 0.25 * 1.7 * np.exp(-(((X + 1.3) / 0.1) ** 2))
    assert decades_between(analyze(LR, [curve() + bump]).turning_point, 0.3) < HALF_WINDOW / 2


def test_a_large_bump_is_a_turning_point_though_the_loss_falls_again() -> None:
    bump = 0.6 * 1.7 * np.exp(-(((X + 1.5) / 0.1) ** 2))
    found = analyze(LR, [curve(3.0) + bump])
    assert found.turning_point is not None
    assert found.turning_point < 10**-1.5


def test_losses_that_end_early_turn_up_at_their_end() -> None:
    """What is no finite number any more has risen, though no loss says so."""
    found = analyze(LR, [curve(1e9)[:400]] * 2)
    assert found.turning_point == pytest.approx(LR[399])


def test_one_order_that_diverges_earlier_counts() -> None:
    found = analyze(LR, [curve(1e9)[:400], curve(1e9)[:400], curve(1e9)[:330]])
    assert decades_between(found.turning_point, LR[329]) < HALF_WINDOW


def test_one_of_many_that_has_ended_still_counts() -> None:
    """Its loss stands for one fall above the first: two, in 24 orders, are over a twentieth."""
    found = analyze(LR, [curve(1e9)[:400]] * 23 + [curve(1e9)[:330]])
    assert decades_between(found.turning_point, LR[329]) < HALF_WINDOW


def test_an_explosion_reaches_back_no_farther_than_a_rise() -> None:
    """Were it not cut off, it would be felt as soon as the window touches it."""
    losses = noisy(curve(1e9), 0.1)
    losses[LR > 0.3] = 1e30
    assert decades_between(analyze(LR, [losses]).turning_point, 0.3) < 0.8 * HALF_WINDOW


def test_single_spikes_move_nothing() -> None:
    spiked = noisy(curve(), 0.1)
    spiked[::50] += 5
    assert decades_between(analyze(LR, [spiked]).turning_point, 0.3) < HALF_WINDOW / 2


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 100), st.floats(-50, 50))
def test_the_scale_and_the_level_of_a_loss_do_not_matter(scale: float, level: float) -> None:
    losses = noisy(curve(), 0.2)
    one, other = analyze(LR, [losses]), analyze(LR, [scale * losses + level])
    assert one.turning_point == other.turning_point
    assert one.minimum == other.minimum
    assert one.low == other.low


def test_few_updates_are_enough_where_there_is_little_noise() -> None:
    lr = LR[::10]
    found = analyze(lr, [noisy(curve()[::10], 0.03)])
    assert decades_between(found.turning_point, 0.3) < 0.4


# --- when there is nothing to pick ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "losses"),
    [
        ("flat", np.full(COUNT, 2.3)),
        ("flat", np.zeros(COUNT)),
        ("flat", noisy(np.full(COUNT, 2.3), 0.2)),
        ("flat", noisy(np.full(COUNT, 2.3), 3.0)),
        ("still_falling", curve(1e9)),
        ("still_falling", noisy(curve(1e9, 3.0), 0.2)),
        ("only_rises", noisy(curve(0.1, 1e9), 0.1)),
        ("rises_at_once", noisy(curve(3e-5, 1e9), 0.1)),
        ("rises_at_once", np.array([2.3, 900.0])),
        ("rises_at_once", np.array([])),
        ("falls_at_once", noisy(curve(8e-5, 2e-5), 0.1)),
        ("noisy", noisy(curve(), 2.0)),
    ],
)
def test_refusals(reason: str, losses: Floats) -> None:
    found = analyze(LR, [losses])
    assert found.refusal is not None
    assert found.refusal.reason == reason
    assert found.constant is found.one_cycle is found.low is found.high is None
    assert found.refusal.explanation
    assert found.refusal.remedy.startswith(found.refusal.options)


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_is_never_a_pick(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = analyze(LR, [2.3 + random.standard_t(4, COUNT) for _ in range(3)])
    assert found.refusal is not None
    assert found.refusal.reason in ("flat", "noisy")


def test_more_orders_find_what_one_is_too_noisy_for() -> None:
    orders = [noisy(curve(), 2.0, seed) for seed in range(12)]
    assert analyze(LR, orders[:1]).refusal is not None
    assert decades_between(analyze(LR, orders).turning_point, 0.3) < 0.3


def test_a_net_that_only_rises_has_a_turning_point_all_the_same() -> None:
    assert decades_between(analyze(LR, [noisy(curve(0.1, 1e9), 0.1)]).turning_point, 0.1) < 0.3


# --- when to stop --------------------------------------------------------------------------------


def test_it_stops_soon_after_divergence_and_not_before() -> None:
    for level in (0.0, -2.3, 50.0):
        losses = noisy(curve(), 0.2) + level
        stops = [end for end in range(1, COUNT) if has_diverged(losses[:end], DECADES)]
        # One fall and ten deviations above 2.3 is 6: the formula is there at 0.3 * sqrt(6.4).
        assert LR[stops[0]] == pytest.approx(0.3 * math.sqrt(6.4), rel=0.35)


def test_without_noise_it_stops_one_fall_above_where_it_began() -> None:
    """2.3 + 1.7 is reached at 0.3 * sqrt(4.4), and seen by a median of nine four points later."""
    stops = [end for end in range(1, COUNT) if has_diverged(curve()[:end], DECADES)]
    assert LR[stops[0] - 1] == pytest.approx(0.3 * math.sqrt(4.4) * (LR[4] / LR[0]), rel=0.06)


def test_noise_and_a_constant_never_stop_it() -> None:
    for losses in (noisy(np.full(COUNT, 2.3), 1.0), np.full(COUNT, 2.3), np.zeros(COUNT)):
        assert not any(has_diverged(losses[:end], DECADES) for end in range(1, COUNT, 3))
