from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
import torch

from dnnlab.methods.lr_find import Order, Range, RangeTest, Verification
from dnnlab.methods.range_curve import Floats, analyze, rates_between
from dnnlab.report.lr_find import COLUMNS, lines, picture, table, verdict
from dnnlab.training.machine import Machine

LR = rates_between(1e-5, 10, 200)
X = np.log10(LR)
FALLS = 2.3 - 1.7 / (1 + np.exp(-(X + 2.5) / 0.25))
VALLEY = FALLS + np.where(LR > 0.3, (LR / 0.3) ** 2 - 1, 0.0)


def result_of(*orders: Floats, schedule: str = "constant", step: int = 0) -> Range:
    test = RangeTest(updates=len(LR), orders=len(orders))
    return Range(
        test=test,
        machine=Machine(torch.device("cpu"), 1),
        optimizer="sgd",
        schedule=schedule,
        lr_now=0.01,
        step=step,
        orders=tuple(Order(42 + i, each, "", analyze(LR, [each])) for i, each in enumerate(orders)),
        found=analyze(LR, list(orders)),
    )


def row_of(text: list[str], name: str) -> str:
    (row,) = [line for line in text if line.startswith(name)]
    return row


def test_lines_have_every_point() -> None:
    result = result_of(VALLEY, 1.1 * VALLEY)
    text, found = list(lines(result)), result.found
    assert text[0] == "sgd, lr 1e-05 to 10 in 200 updates; 2 orders"
    assert row_of(text, "turns up at").split()[3] == f"{found.turning_point:.2g}"
    assert row_of(text, "usable").split()[1:] == [f"{found.low:.2g}", "to", f"{found.high:.2g}"]
    assert row_of(text, "constant rate").split()[2] == f"{found.constant:g}"
    assert row_of(text, "1cycle's highest").split()[2] == f"{found.one_cycle:g}"
    assert row_of(text, "the config has").split()[-1] == "0.01"
    for mark in ("o smoothed loss", "· usable", "x pick", "+ turns up"):
        assert mark in text[2]


def test_one_order_has_no_spread_and_two_have() -> None:
    assert "single orders" not in "\n".join(lines(result_of(VALLEY)))
    assert "single orders" in row_of(list(lines(result_of(VALLEY, VALLEY))), "turns up at")


def test_an_order_without_a_point_is_told() -> None:
    text = list(lines(result_of(VALLEY, FALLS)))
    assert row_of(text, "turns up at").endswith("not in every order")


def test_a_refusal_has_its_reason_and_a_remedy_and_no_picks() -> None:
    text = list(lines(result_of(FALLS, step=1204)))
    assert "1,204 updates behind it" in text[0]
    assert text[-2] == "no suggestion: the loss has not turned up by the last rate, 10"
    assert text[-1] == "try: --end 100"
    assert not any(line.startswith("constant rate") for line in text)


def test_losses_that_end_at_once_have_no_picture() -> None:
    text = list(lines(result_of(np.array([2.3, 1e9]))))
    assert text[-2].startswith("no suggestion: ")
    assert "o smoothed loss" not in "\n".join(text)


def test_the_table_has_every_loss_and_their_mean() -> None:
    rows = list(csv.DictReader(io.StringIO(table(result_of(VALLEY, VALLEY[:150])))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["order"] for row in rows] == ["0"] * 200 + ["1"] * 150 + ["mean"] * 200
    assert rows[7]["seed"] == "42"
    assert float(rows[7]["lr"]) == pytest.approx(LR[7])
    assert float(rows[7]["loss"]) == pytest.approx(VALLEY[7])
    # A fall of 1.7 by a logistic function of width 0.25 has a slope of 1.7 / 4 / 0.25 at most.
    slopes = [float(row["slope_per_decade"]) for row in rows[:200]]
    assert -1.7 < min(slopes) < -1.4


def test_the_table_of_losses_that_end_at_once() -> None:
    rows = list(csv.DictReader(io.StringIO(table(result_of(np.array([2.3, 1e9]))))))
    assert [row["loss"] for row in rows] == ["2.3", "1e+09"]
    assert rows[0]["smoothed"] == ""


@pytest.mark.parametrize("losses", [VALLEY, FALLS, np.full(200, 2.3), np.array([2.3, 1e9])])
def test_the_picture_is_a_png(losses: Floats) -> None:
    content = picture(result_of(losses), "a net")
    assert content.startswith(b"\x89PNG")
    assert len(content) > 10_000


def test_the_picture_is_the_same_again() -> None:
    assert picture(result_of(VALLEY), "a") == picture(result_of(VALLEY), "a")
    assert picture(result_of(VALLEY), "a") != picture(result_of(1.1 * VALLEY), "a")


def test_the_verdict_has_each_training() -> None:
    good = Verification(100, (0.01, 0.03, 0.09), (1.0, 0.5, math.nan), (0.1, 0.1, math.nan))
    text = list(verdict(good))
    assert text[1] == "100 updates at a constant rate, mean loss of the last fifth:"
    assert [line.split() for line in text[2:5]] == [
        ["0.01", "1.000", "±", "0.1"],
        ["0.03", "0.5000", "±", "0.1"],
        ["0.09", "diverged"],
    ]
    assert text[5].startswith("the pick is not worse")
    bad = Verification(100, (0.01, 0.03, 0.09), (0.1, 0.5, 0.4), (0.01, 0.01, 0.01))
    assert list(verdict(bad))[-1].startswith("the pick is worse")
