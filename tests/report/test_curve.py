from __future__ import annotations

from dnnlab.report.curve import curve


def test_a_falling_line() -> None:
    lines = curve({"loss": [(0, 2.0), (10, 1.0)]}, x_name="epoch", width=11, height=3)
    assert lines == [
        "o loss",
        "2.000 |ooo",
        "      |   ooooo",
        "1.000 |        ooo",
        "      +-----------",
        "       0  epoch 10",
    ]


def test_two_series_share_the_axes_and_the_later_lies_above() -> None:
    lines = curve({"a": [(0, 0), (4, 4)], "b": [(0, 4), (4, 0)]}, x_name="x", width=5, height=5)
    assert lines[0] == "o a  · b"
    assert [line.partition("|")[2] for line in lines[1:6]] == [
        "·   o",
        " · o",
        "  ·",
        " o ·",
        "o   ·",
    ]


def test_a_level_line_is_drawn_in_the_middle() -> None:
    lines = curve({"a": [(1, 3.0), (2, 3.0)]}, x_name="x", width=4, height=3)
    assert [line.partition("|")[2] for line in lines[1:4]] == ["", "oooo", ""]


def test_one_point_is_no_curve() -> None:
    assert curve({"a": [(1, 3.0)]}, x_name="x") == []
    assert curve({}, x_name="x") == []


def test_every_line_has_the_same_margin() -> None:
    lines = curve({"a": [(0, 1e-9), (1, 12345.0)]}, x_name="x")
    bars = {line.index("|") for line in lines if "|" in line}
    assert len(bars) == 1
    assert lines[-2].index("+") in bars
