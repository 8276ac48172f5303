"""What a few trainings say of many: means, differences and ratios with their intervals.

Every interval is one of Student's t at 95 %: it assumes that the values scatter like a bell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean, how far single values lie from it, and where the true mean lies."""

    mean: float
    sd: float | None
    """Standard deviation of single values, n - 1 in the denominator; None for one value."""
    ci95: tuple[float, float] | None
    """None where there are fewer than two values."""
    values: tuple[float, ...]

    def to_json(self) -> dict[str, object]:
        """Returns all of it."""
        interval = None if self.ci95 is None else list(self.ci95)
        return {"mean": self.mean, "sd": self.sd, "ci95": interval, "values": list(self.values)}


def estimate(values: Sequence[float]) -> Estimate:
    """Returns mean, standard deviation and interval: mean +- t * sd / sqrt(n), n - 1 degrees."""
    array = np.asarray(values, "float64")
    mean = float(array.mean())
    if len(array) < 2:
        return Estimate(mean, None, None, tuple(map(float, array)))
    sd = float(array.std(ddof=1))
    half = _t(len(array) - 1) * sd / math.sqrt(len(array))
    return Estimate(mean, sd, (mean - half, mean + half), tuple(map(float, array)))


def paired_difference(one: Sequence[float], other: Sequence[float]) -> Estimate:
    """Returns the estimate of one - other, pair by pair: what both have in common cancels."""
    return estimate(np.asarray(one, "float64") - np.asarray(other, "float64"))


def paired_ratio(
    one: Sequence[float], other: Sequence[float]
) -> tuple[float | None, tuple[float, float] | None]:
    """Returns mean(one) / mean(other) and its interval, of pairs (Fieller, 1954).

    The interval holds every r for which one - r * other may have mean 0:

        (a - r b)² <= t² (s_aa - 2 r s_ab + r² s_bb) / n

    None for the ratio where mean(other) is 0; None for the interval where the mean of `other` may
    be 0, so that no ratio can be excluded, or where there is one pair.
    """
    a, b = np.asarray(one, "float64"), np.asarray(other, "float64")
    if b.mean() == 0:
        return None, None
    ratio = float(a.mean() / b.mean())
    if len(a) < 2:
        return ratio, None
    (s_aa, s_ab), (_, s_bb) = np.cov(a, b, ddof=1) * (_t(len(a) - 1) ** 2 / len(a))
    square, linear, constant = (
        b.mean() ** 2 - s_bb,
        a.mean() * b.mean() - s_ab,
        a.mean() ** 2 - s_aa,
    )
    if square <= 0:
        return ratio, None
    root = math.sqrt(max(0.0, linear**2 - square * constant))
    return ratio, (float((linear - root) / square), float((linear + root) / square))


def _t(degrees: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, degrees))
