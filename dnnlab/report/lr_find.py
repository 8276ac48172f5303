"""What a range test found: lines for a terminal, a picture, a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from dnnlab.methods.lr_find import Range, RangeTest, Verification
from dnnlab.methods.range_curve import RULES
from dnnlab.report.curve import curve
from dnnlab.report.screen import console
from dnnlab.report.text import counted, shown

COLUMNS = ("order", "seed", "update", "lr", "loss", "smoothed", "slope_per_decade")


@contextmanager
def progress(test: RangeTest, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows a bar on a terminal's stderr; lends what is to be told of updates."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    screen = console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not screen.is_terminal
    with Progress(*columns, console=screen, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=test.orders * test.updates)
        yield lambda updates: bar.advance(task, updates)


def lines(result: Range) -> Iterator[str]:
    """Yields the curve in characters, its points, and the picks or why there are none."""
    found, test = result.found, result.test
    orders, updates = counted(test.orders, "order"), counted(test.updates, "update")
    behind = f", {result.step:,} updates behind it" if result.step else ""
    yield f"{result.optimizer}, lr {test.start:g} to {test.end:g} in {updates}{behind}; {orders}"
    yield ""
    yield from _picture(result)
    yield ""
    for name, value, remark in _rows(result):
        yield f"{name:<16}  {value:<18}  {remark}".rstrip()
    if found.refusal is not None:
        yield f"no suggestion: {found.refusal.explanation}"
        yield f"try: {found.refusal.remedy}"


def _rows(result: Range) -> Iterator[tuple[str, str, str]]:
    found, spread = result.found, result.spread
    for name, rate, key in (
        ("falls fastest at", found.steepest, "steepest"),
        ("is lowest at", found.minimum, "minimum"),
        ("turns up at", found.turning_point, "turning_point"),
    ):
        if rate is not None:
            yield name, f"{rate:.2g}", _between(spread[key], result)
    if found.low is not None and found.high is not None:
        yield "usable", f"{found.low:.2g} to {found.high:.2g}", ""
    for name, rate, key in (
        ("constant rate", found.constant, "constant"),
        ("1cycle's highest", found.one_cycle, "one_cycle"),
    ):
        if rate is not None:
            yield name, f"{rate:g}", f"{RULES[key]}{_each(spread[key], result)}"
    yield "the config has", f"{result.lr_now:g}", ""


def _between(ends: tuple[float, float] | None, result: Range) -> str:
    if len(result.orders) == 1:
        return ""
    return (
        "not in every order" if ends is None else f"single orders: {ends[0]:.2g} to {ends[1]:.2g}"
    )


def _each(ends: tuple[float, float] | None, result: Range) -> str:
    remark = _between(ends, result)
    return f"; {remark}" if remark else ""


def _picture(result: Range) -> Iterator[str]:
    found = result.found
    values = found.smooth.values
    if len(values) < 2:
        return
    x = np.round(np.log10(found.lr[: len(values)]), 2)  # a column is a tenth of a decade
    points = list(zip(x.tolist(), values.tolist(), strict=True))
    series = {"smoothed loss": points}
    if found.low is not None and found.high is not None:
        ends = np.log10([found.low, found.high])
        series["usable"] = [point for point in points if ends[0] <= point[0] <= ends[1]]
    for name, rate in (("pick", result.picked), ("turns up", found.turning_point)):
        if rate is not None:
            at = float(np.log10(rate))
            series.setdefault("usable", [])
            series[name] = [(at, float(np.interp(at, x, values)))]
    yield from curve(series, x_name="log10 of lr")


def verdict(verified: Verification) -> Iterator[str]:
    """Yields how the short trainings around the pick ended."""
    yield ""
    yield f"{verified.updates:,} updates at a constant rate, mean loss of the last fifth:"
    for lr, loss, error in zip(verified.lr, verified.losses, verified.errors, strict=True):
        ended = f"{shown(loss)} ± {error:.1g}" if loss == loss else "diverged"
        yield f"  {lr:<8.2g}  {ended}"
    if verified.not_worse:
        yield "the pick is not worse than the others by more than their noise"
    else:
        yield "the pick is worse than another: so short a training is not all, but look at it"


def table(result: Range) -> str:
    """Returns every loss as CSV, by order, and then their mean, whose order is `mean`."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    series = [
        (str(number), order.seed, order.losses, order.found)
        for number, order in enumerate(result.orders)
    ]
    for name, seed, losses, found in (*series, ("mean", "", result.found.losses, result.found)):
        lr = result.found.lr
        for update, (rate, loss) in enumerate(zip(lr, losses, strict=False)):
            smoothed, slope = "", ""
            if update < len(found.smooth.values):
                smoothed = f"{found.smooth.values[update]:.9g}"
                slope = f"{found.smooth.slopes[update]:.9g}"
            rows.writerow([name, seed, update, f"{rate:.9g}", f"{loss:.9g}", smoothed, slope])
    return text.getvalue()


def picture(result: Range, title: str) -> bytes:
    """Returns a PNG: every loss pale, the smooth curve, its points and the usable rates."""
    from matplotlib.figure import Figure

    found = result.found
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.subplots()
    for order in result.orders:
        lr = found.lr[: len(order.losses)]
        axes.plot(lr, order.losses, ".", color="#9db7d5", markersize=2.5, zorder=1)
    values = found.smooth.values
    if len(values):
        axes.plot(found.lr[: len(values)], values, color="#1f3b63", linewidth=2, label="smoothed")
        margin = 0.1 * float(np.ptp(values)) + 4 * found.noise
        if margin > 0:
            axes.set_ylim(float(values.min()) - margin, float(values.max()) + margin)
    if found.low is not None and found.high is not None:
        axes.axvspan(found.low, found.high, color="#dcefdc", zorder=0, label="usable")
    for name, rate, color, style in (
        ("falls fastest", found.steepest, "#777777", ":"),
        ("turns up", found.turning_point, "#b03030", "--"),
        ("constant rate", found.constant, "#1a7a1a", "-"),
        ("1cycle's highest", found.one_cycle, "#1a7a1a", "-."),
    ):
        if rate is not None:
            axes.axvline(
                rate, color=color, linestyle=style, linewidth=1.3, label=f"{name}: {rate:.2g}"
            )
    axes.set_xscale("log")
    axes.set_xlim(float(found.lr[0]) if len(found.lr) else None)
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss of a batch")
    axes.set_title(title)
    if found.refusal is not None:
        axes.set_title(f"{title}\nno suggestion: {found.refusal.reason.replace('_', ' ')}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", framealpha=0.9, edgecolor="none", fontsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
