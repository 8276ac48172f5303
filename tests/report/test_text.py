from __future__ import annotations

import pytest

from dnnlab.report.text import counted, duration, shown, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.82341, "0.8234"),
        (12.3456, "12.35"),
        (0.0, "0"),
        (-0.5, "-0.5000"),
        (0.000123456, "0.0001235"),
        (1.2e-8, "1.2e-08"),
        (123456.0, "1.235e+05"),
        (9999.94, "1e+04"),
        (9999.4, "9999"),
        (1234.56, "1235"),
        (1.0, "1.000"),
    ],
)
def test_four_digits_or_so(value: float, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * 2**30, "5.0 GiB"),
        (3 * 2**40, "3.0 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 runs"), (1, "1 run"), (1.0, "1 run"), (2500, "2,500 runs")]
)
def test_plurals(count: float, text: str) -> None:
    assert counted(count, "run") == text
