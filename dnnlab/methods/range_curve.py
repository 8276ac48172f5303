"""What a learning-rate range test says: points of a curve, picks, or why there are none.

Here are numbers only: rates, rising by a constant factor, and the loss of the batch at each. How
they are measured is told in `lr_find.py`, why the rules are these in docs/decisions/0015.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALF_WINDOW = 0.3
"""Decades of the rate to either side that a smoothed value looks at."""
FEWEST = 3
"""Points to either side that it looks at, where the rate rises so fast that a window has fewer."""
ROUGH = 9
"""Points of the median by which an explosion is told from a fall, before anything is smoothed."""
RISE = 0.2
"""A loss has turned up once it is this share of the whole fall above the lowest before it."""
NEAR = 0.05
"""As long as it is within this share of the fall above the lowest it has not begun to."""
BEGUN = 0.1
"""The share of the fall after which a loss is said to fall."""
LEVEL = 4.0
"""Standard errors above the lowest that are still level with it, for it is the least of many."""
CERTAIN = 5.0
"""Standard errors. A minimum is the least of some twenty independent means: without any fall it
lies two to three below the first."""
CLEAR = 7.0
"""Standard errors that a fall must have for its turning point to be found in it."""
DIVERGED = 1.0
"""An order has diverged once its loss is this many falls above where it began,"""
SPIKE = 10.0
"""and this many standard deviations of its noise; half as many from its neighbours is a spike."""
STABLE = 10**-0.5
"""Share of the turning point up to which a rate is usable: an update is unstable some half a decade
before it shows, since the rate goes on rising while the loss has yet to grow."""
TENTH = 0.1
"""Share of the turning point that is picked for a constant rate: the chapter's rule."""
FIFTH = 0.2
"""The share for 1cycle's highest rate: its mean, 0.55 of it, is then a tenth again."""
RULES = {
    "constant": "a tenth of the turning point",
    "one_cycle": "a fifth of the turning point, for a mean rate of a tenth",
}

Reason = Literal["flat", "noisy", "only_rises", "still_falling", "rises_at_once", "falls_at_once"]
POINTS = ("steepest", "minimum", "turning_point", "low", "high", "constant", "one_cycle")


@dataclass(frozen=True)
class Smooth:
    """A local linear fit at every point, along the logarithm of the rate."""

    values: Floats
    slopes: Floats
    """Per decade of the rate."""
    gains: Floats
    """Standard error of a value, for noise of standard deviation 1."""


@dataclass(frozen=True)
class Refusal:
    """Why nothing is suggested, and what to try."""

    reason: Reason
    explanation: str
    remedy: str
    options: str
    """Of the test that is worth trying next, as the command line has them."""


@dataclass(frozen=True)
class Found:
    """What a curve of (rate, loss) says. Rates that were not found are None."""

    lr: Floats
    """All rates of the test; where it has ended the others have fewer."""
    losses: Floats
    """Mean over the orders, cut off above."""
    smooth: Smooth
    noise: float
    """Standard deviation of a loss around the smooth curve."""
    fall: float
    """From the first loss to the lowest."""
    steepest: float | None
    minimum: float | None
    turning_point: float | None
    low: float | None
    high: float | None
    constant: float | None
    one_cycle: float | None
    refusal: Refusal | None


def rates_between(start: float, end: float, updates: int) -> Floats:
    """Returns rates from `start` to `end`, each the same factor above the one before."""
    return np.geomspace(start, end, updates)


def smooth(values: Floats, decades: float) -> Smooth:
    """Fits a straight line around every point, nearer points weighing more (tricube); (N,) -> (N,).

    `decades` is the step between two points. At the ends the window has one side only: so what is
    straight stays as it is everywhere, and nothing lags.
    """
    count = len(values)
    half = max(FEWEST, round(HALF_WINDOW / decades))
    results = np.empty((3, count))
    for index in range(count):
        first, last = max(0, index - half), min(count, index + half + 1)
        away = np.arange(first, last, dtype=np.float64) - index
        weights = (1 - (np.abs(away) / (half + 1)) ** 3) ** 3
        total, moment = weights.sum(), (weights * away).sum()
        spread = (weights * away**2).sum() * total - moment**2
        if spread <= 0:  # one point
            results[:, index] = values[index], 0.0, 1.0
            continue
        here = weights * ((weights * away**2).sum() - moment * away) / spread
        slope = weights * (total * away - moment) / spread
        part = values[first:last]
        results[:, index] = here @ part, slope @ part / decades, math.sqrt(here @ here)
    return Smooth(*results)


def has_diverged(losses: Floats, decades: float) -> bool:
    """Whether a test in progress can end: its last losses are far above where they began.

    Far is measured by its fall and by its noise, so that a loss may be 0 or negative.
    """
    if len(losses) < 2 * ROUGH:
        return False
    began, rough = _beginning(losses, decades), _medians(losses)
    margin = DIVERGED * max(began - rough.min(), 0.0) + SPIKE * _noise(losses, began)
    return not _negligible(rough[-1] - began, began) and bool(rough[-1] > began + margin)


def analyze(lr: Floats, orders: list[Floats]) -> Found:
    """Says what the losses of one or more orders mean: (N,) rates, and up to N losses of each.

    An order that has fewer diverged after its last one. Raises nothing: what cannot be said has a
    refusal.
    """
    decades = float(np.log10(lr[-1] / lr[0])) / (len(lr) - 1)
    count = max(map(len, orders))
    if min(map(len, orders)) < 2 * ROUGH:
        return _nothing(lr, _rises_at_once(lr))
    losses = _mean_of(orders, count, decades)
    fitted = smooth(losses, decades)
    diverged = any(len(order) < len(lr) for order in orders)
    shape = _shape(losses, fitted, decades, diverged)
    return _judge(lr, losses, fitted, shape)


@dataclass(frozen=True)
class _Shape:
    """Where a smooth curve begins, lies lowest and turns up, and how sure that is."""

    began: float
    noise: float
    bottom: int
    fall: float
    error: float
    """Standard error of the lowest value."""
    turning: int | None
    """The last position near the lowest value before the loss rises; None if it never does."""


def _shape(losses: Floats, fitted: Smooth, decades: float, diverged: bool) -> _Shape:
    """Finds the lowest point before the first rise that counts, and where that rise begins."""
    values, began = fitted.values, _beginning(losses, decades)
    noise = _noise(losses, began)
    errors = noise * fitted.gains
    lowest = np.minimum.accumulate(values)
    where = np.maximum.accumulate(np.where(values == lowest, np.arange(len(values)), 0))
    needed = np.maximum(RISE * (began - values.min()), CERTAIN * np.hypot(errors, errors[where]))
    risen = np.flatnonzero((values - lowest > needed) & ~_negligible(values - lowest, began))
    rise = int(risen[0]) if len(risen) else len(values)
    bottom = int(np.argmin(values[:rise]))
    fall, error = began - float(values[bottom]), float(errors[bottom])
    turning = None
    if diverged or len(risen):
        near = values[bottom:rise] <= values[bottom] + max(NEAR * fall, LEVEL * error)
        turning = bottom + int(np.flatnonzero(near)[-1])
    return _Shape(began, noise, bottom, fall, error, turning)


def _judge(lr: Floats, losses: Floats, fitted: Smooth, shape: _Shape) -> Found:
    """Picks rates by a curve's shape, or says why not."""
    points: dict[str, float] = {}
    if shape.turning is not None:
        points["turning_point"] = float(lr[shape.turning])
    refusal = _refusal(lr, shape)
    if refusal is None or refusal.reason in ("still_falling", "falls_at_once"):
        points["minimum"] = float(lr[shape.bottom])
        points["steepest"] = float(lr[int(np.argmin(fitted.slopes[: shape.bottom + 1]))])
    if refusal is None:
        before = fitted.values[: shape.bottom + 1] > shape.began - BEGUN * shape.fall
        begun = float(
            lr[min(int(np.flatnonzero(before)[-1]) + 1 if before.any() else 0, shape.bottom)]
        )
        constant = _two_digits(TENTH * points["turning_point"])
        one_cycle = _two_digits(FIFTH * points["turning_point"])
        points |= {"constant": constant, "one_cycle": one_cycle, "low": min(begun, constant)}
        points["high"] = STABLE * points["turning_point"]
    named = {name: points.get(name) for name in POINTS}
    return Found(lr, losses, fitted, shape.noise, shape.fall, **named, refusal=refusal)


def _two_digits(rate: float) -> float:
    """Returns a rate as it is written down: more digits would say nothing."""
    return float(f"{rate:.1e}")


def _refusal(lr: Floats, shape: _Shape) -> Refusal | None:
    """Returns why a curve of this shape allows no pick, if it allows none."""
    turning = None if shape.turning is None else float(lr[shape.turning])
    falls = shape.fall >= CERTAIN * shape.error and not _negligible(shape.fall, shape.began)
    if turning is not None and TENTH * turning < lr[0]:
        return _falls_at_once(lr) if falls else _rises_at_once(lr)
    if not falls:
        return _flat(shape, lr) if turning is None else _only_rises(shape, turning, lr)
    if shape.fall < CLEAR * shape.error:
        return _noisy(shape, lr)
    return _still_falling(lr) if turning is None else None


# --- measures ---------------------------------------------------------------------------------


def _beginning(losses: Floats, decades: float) -> float:
    """Returns the loss before the rate has done anything: the median of half a window.

    Where even that many are not alike, since it explodes at once, the median of the first few.
    """
    count = max(ROUGH, round(HALF_WINDOW / decades))
    return float(min(np.median(losses[:count]), np.median(losses[:ROUGH])))


def _medians(losses: Floats) -> Floats:
    """Returns the running median of ROUGH losses, (N,) -> (N - ROUGH + 1,)."""
    windows = np.lib.stride_tricks.sliding_window_view(losses, ROUGH)
    return np.asarray(np.median(windows, axis=1))


def _noise(losses: Floats, began: float) -> float:
    """Returns the standard deviation of the noise, before the loss explodes.

    It is that of second differences, which a slope has no part in, divided by sqrt(6). It is read
    off the size that four in five of them stay below: of normal ones 1.2816 deviations. So single
    spikes do not count, and the tails that losses have count somewhat.
    """
    calm = np.flatnonzero(_medians(losses) <= began)
    end = max(2 * ROUGH, int(calm[-1]) + ROUGH if len(calm) else 0)
    sizes = np.abs(np.diff(losses[:end], 2))
    return float(np.quantile(sizes, 0.8)) / (1.2816 * math.sqrt(6))


def _mean_of(orders: list[Floats], count: int, decades: float) -> Floats:
    """Returns the mean loss over orders (count,); none counts for more than one fall above where it
    began, and one that has ended counts for that.
    """
    began = float(np.mean([_beginning(order, decades) for order in orders]))
    best = float(np.mean([_medians(order).min() for order in orders]))
    noise = float(np.mean([_noise(order, began) for order in orders]))
    most = began + max(DIVERGED * (began - best), SPIKE * noise)
    rows = np.full((len(orders), count), most)
    for row, order in zip(rows, orders, strict=True):
        row[: len(order)] = np.minimum(_without_spikes(order, began), most)
    return np.asarray(rows.mean(axis=0))


def _without_spikes(losses: Floats, began: float) -> Floats:
    """Returns losses of which none is far from the median of those around it."""
    middle = np.pad(_medians(losses), ROUGH // 2, mode="edge")
    far = SPIKE / 2 * _noise(losses, began)
    return np.clip(losses, middle - far, middle + far)


def _negligible(difference: Floats | float, level: float) -> NDArray[np.bool_]:
    """Whether it is what rounding in float32 may make of a loss of this level."""
    return np.less_equal(difference, 1e-5 * abs(level))


# --- refusals ---------------------------------------------------------------------------------


def _nothing(lr: Floats, refusal: Refusal) -> Found:
    none = np.empty(0)
    points = dict.fromkeys(POINTS)
    return Found(lr, none, Smooth(none, none, none), math.nan, math.nan, **points, refusal=refusal)


def _rises_at_once(lr: Floats) -> Refusal:
    lower = f"--start {lr[0] / 1000:.2g}"
    return Refusal(
        "rises_at_once",
        f"the loss does not fall at the first rate, {lr[0]:.2g}, and within a decade of it rises",
        f"{lower}; if that does not help, the net cannot be trained as it is",
        lower,
    )


def _falls_at_once(lr: Floats) -> Refusal:
    lower = f"--start {lr[0] / 1000:.2g}"
    return Refusal(
        "falls_at_once",
        f"the loss turns up within a decade of the first rate, {lr[0]:.2g}",
        lower,
        lower,
    )


def _flat(shape: _Shape, lr: Floats) -> Refusal:
    higher = f"--end {float(f'{lr[-1] * 100:.2g}'):g}"
    return Refusal(
        "flat",
        f"the loss does not fall: by {max(shape.fall, 0):.2g}, where single losses vary by "
        f"{shape.noise:.2g}",
        f"{higher}, or more --updates; else look at the data and the net",
        higher,
    )


def _only_rises(shape: _Shape, turning: float, lr: Floats) -> Refusal:
    longer = f"--updates {4 * len(lr)}"
    return Refusal(
        "only_rises",
        f"the loss falls at no rate (by {max(shape.fall, 0):.2g}, where single losses vary by "
        f"{shape.noise:.2g}), and rises from {turning:.2g} on",
        f"{longer}; a net that has learned all it can bears up to {TENTH * turning:.2g}",
        longer,
    )


def _noisy(shape: _Shape, lr: Floats) -> Refusal:
    longer = f"--updates {4 * len(lr)}"
    return Refusal(
        "noisy",
        f"the loss falls by {shape.fall:.2g}, too little where single losses vary by "
        f"{shape.noise:.2g}",
        f"{longer}, more --orders, or a larger training.batch_size",
        longer,
    )


def _still_falling(lr: Floats) -> Refusal:
    higher = f"--end {float(f'{lr[-1] * 10:.2g}'):g}"
    return Refusal(
        "still_falling",
        f"the loss has not turned up by the last rate, {lr[-1]:.2g}",
        higher,
        higher,
    )
