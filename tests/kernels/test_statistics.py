from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dnnlab.kernels.statistics import estimate, paired_difference, paired_ratio
from tests.support import cases


def test_an_interval_is_students() -> None:
    """Of 1, 2, 3, 4: mean 2.5, sd sqrt(5/3), and t of 3 degrees of freedom is 3.1824463."""
    found = estimate([1, 2, 3, 4])
    assert [found.mean, found.sd] == pytest.approx([2.5, math.sqrt(5 / 3)])
    half = 3.182446305284263 * math.sqrt(5 / 3) / 2
    assert found.ci95 is not None
    assert [*found.ci95] == pytest.approx([2.5 - half, 2.5 + half])
    assert found.values == (1, 2, 3, 4)


def test_one_value_has_no_interval() -> None:
    assert estimate([0.5]).to_json() == {"mean": 0.5, "sd": None, "ci95": None, "values": [0.5]}


def test_what_pairs_have_in_common_cancels() -> None:
    """The same values one apart differ by exactly one, however they scatter."""
    found = paired_difference([1, 50, -7], [0, 49, -8])
    assert (found.mean, found.sd, found.ci95) == (1, 0, (1, 1))


def test_the_interval_of_a_ratio_holds_every_ratio_that_is_not_refuted() -> None:
    """Its ends are those r at which a paired t test of one - r * other gives p = .05."""
    random = np.random.default_rng(1)
    for _ in range(cases(20)):
        shared = random.normal(size=8)
        other = 3 + shared + random.normal(size=8) * 0.2
        one = 5 + shared + random.normal(size=8) * 0.2
        ratio, interval = paired_ratio(one.tolist(), other.tolist())
        assert ratio is not None
        assert interval is not None
        assert ratio == pytest.approx(one.mean() / other.mean())
        assert interval[0] < ratio < interval[1]
        for end in interval:
            assert stats.ttest_1samp(one - end * other, 0).pvalue == pytest.approx(0.05)


def test_a_ratio_to_what_may_be_nothing_has_no_interval() -> None:
    assert paired_ratio([1, 2, 3], [-1, 0, 1.5])[1] is None
    assert paired_ratio([1, 2], [0, 0]) == (None, None)
    assert paired_ratio([1], [2]) == (0.5, None)
