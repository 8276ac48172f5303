"""Transfers and studies as one reads them: the table of layers, arms with intervals, pictures."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from dnnlab.methods.transfer import Table
from dnnlab.report.curve import curve
from dnnlab.report.screen import cell, table
from dnnlab.report.text import counted, shown
from dnnlab.runs.records import read_json

MOST_ROWS = 40
"""Layers shown before the middle of a deep net is folded away."""
CHAPTERS_FACTOR = 4.0
"""By how much reuse lowered the error in the textbook's example, which was searched for."""
SMALLER_IS_BETTER = ("loss", "mae", "rmse")
AXES = {"depths": "reused layers", "labels": "labelled examples"}
"""What `x` counts, by the kind of study."""


def show_transfer(transfer: Table, lr: float, out: Console) -> None:
    """Prints what becomes of each layer, and when it learns at which rate."""
    rows = table("layer", "", "shape", "parameters", "frozen until", "rate", "")
    for column in rows.columns[1:3]:
        column.justify = "left"
    for column in rows.columns[5:]:
        column.justify = "left"
    folded = max(0, len(transfer.rows) - MOST_ROWS)
    head = (len(transfer.rows) - folded) // 2
    for index, row in enumerate(transfer.rows):
        if folded and index == head:
            rows.add_row("...", f"{folded} more", "", "", "", "", "")
        if head <= index < head + folded:
            continue
        rates = " -> ".join(_once(f"{lr * factor:.3g}" for factor in row.lr_factors))
        rows.add_row(
            cell(row.layer),
            row.fate,
            " x ".join(map(str, row.shape)),
            f"{row.parameters:,}",
            _until(row.frozen_until, transfer.updates_per_epoch),
            rates,
            cell(row.reason),
        )
    out.print(f"from {cell(transfer.source)}:")
    out.print(rows)
    if transfer.unused:
        listed = ", ".join(transfer.unused[:12])
        more = f" and {len(transfer.unused) - 12} more" if len(transfer.unused) > 12 else ""
        out.print(f"not used of it: {cell(listed)}{more}")
    if transfer.anew:
        updates = ", ".join(f"{start:,}" for start in transfer.anew)
        out.print(f"the optimizer begins anew at update {updates}")
    if any(row.frozen_until != 0 for row in transfer.rows):
        out.print("dropout goes on in frozen layers; their batch normalization stands still")


def _once(words: Iterable[str]) -> Iterator[str]:
    last = None
    for word in words:
        if word != last:
            yield word
        last = word


def _until(update: int | None, per_epoch: int) -> str:
    if update is None:
        return "the end"
    return f"{update:,} (epoch {update / per_epoch:g})" if update else "-"


def line_of(name: str, run: Path) -> str:
    """Returns what a finished training came to, in a line."""
    measured = read_json(run / "result.json")["metrics"]["test"]
    numbers = {key: value for key, value in measured.items() if isinstance(value, int | float)}
    return f"{name}: test {', '.join(f'{key} {shown(value)}' for key, value in numbers.items())}"


def show_study(result: dict[str, Any], out: Console) -> None:
    """Prints every arm with its intervals, the paired differences, and what they say."""
    names = _metrics_of(result)
    seeds = len(result["seeds"])
    rows = table(f"test, {counted(seeds, 'seed')}", *names)
    for arm in result["arms"]:
        if lost := len(arm["diverged"]):
            out.print(f"{cell(arm['name'])}: {lost} of {counted(seeds, 'training')} diverged")
            continue
        rows.add_row(cell(arm["name"]), *(_spread(arm["metrics"][name]) for name in names))
    for pair in result["differences"]:
        words = f"{pair['one']} - {pair['other']}"
        rows.add_row(cell(words), *(_interval(pair["metrics"][name]) for name in names))
    out.print(rows)
    out.print("arms: mean ± standard deviation; differences: paired, with their 95 % interval")
    differ = "first weights, orders and labelled examples" if result["kind"] == "labels" else ""
    differ = differ or "first weights and orders"
    out.print(f"from seed to seed {differ} differ; the source is one training, which also says")
    out.print("how the inputs of what reuses it are scaled, unless transfer.scaling is own")
    for name, runs in result["left_out"].items():
        out.print(cell(f"{name} is left out: it is not finite in {', '.join(runs)}"))
    for line in chart(result):
        out.print(cell(line) if "|" not in line else line)
    out.print()
    for sentence in verdicts(result):
        out.print(cell(sentence))


def _spread(estimate: dict[str, Any]) -> str:
    sd = estimate["sd"]
    return shown(estimate["mean"]) + (f" ± {shown(sd)}" if sd is not None else "")


def _interval(estimate: dict[str, Any]) -> str:
    mean, interval = _signed(estimate["mean"]), estimate["ci95"]
    if interval is None:
        return mean
    return rf"{mean} \[{_signed(interval[0])}, {_signed(interval[1])}]"


def _signed(value: float) -> str:
    return f"{value:+.5f}" if abs(value) < 1 else f"{'-' if value < 0 else '+'}{shown(abs(value))}"


def _metrics_of(result: dict[str, Any]) -> list[str]:
    """Returns the numbers that every training has; none where in every arm one diverged."""
    return next((list(arm["metrics"]) for arm in result["arms"] if arm["metrics"]), [])


def _headline(names: list[str]) -> str:
    """Returns the number that is plotted and judged."""
    known = [name for name in ("accuracy", "loss") if name in names]
    return next(iter([*known, *names]), "")


def chart(result: dict[str, Any]) -> list[str]:
    """Returns the accuracy, or else the loss, over `x` as a curve in characters."""
    name, series = _series(result)
    if result["kind"] not in AXES or not name:
        return []
    points = {word: [(x, estimate["mean"]) for x, estimate in line] for word, line in series}
    return ["", name, *curve(points, x_name=AXES[result["kind"]])]


def _series(result: dict[str, Any]) -> tuple[str, list[tuple[str, list[tuple[int, Any]]]]]:
    """Returns what is plotted, and for each line its points (x, estimate), by x."""
    arms = [arm for arm in result["arms"] if arm["metrics"]]
    name = _headline(_metrics_of(result))
    if result["kind"] == "depths":
        groups = {"reused": arms}
    else:
        groups = {
            "reused": [arm for arm in arms if arm["transferred"]],
            "from scratch": [arm for arm in arms if not arm["transferred"]],
        }
    series = [
        (word, sorted((arm["x"] or 0, arm["metrics"][name]) for arm in group))
        for word, group in groups.items()
        if group
    ]
    return name, series


def verdicts(result: dict[str, Any]) -> Iterator[str]:
    """Yields in sentences what the differences say, and what they cannot say."""
    if not result["differences"]:
        known = any(not arm["transferred"] for arm in result["arms"])
        yield (
            "nothing can be compared: trainings have diverged"
            if known
            else "nothing to compare with: --scratch trains the same without reuse"
        )
        return
    x_names = {arm["name"]: arm["x"] for arm in result["arms"]}
    for pair in result["differences"]:
        yield _verdict(pair, result["kind"], x_names[pair["one"]])


def _verdict(pair: dict[str, Any], kind: str, x: int | None) -> str:
    name = _headline(list(pair["metrics"]))
    if not name:
        return "no number is finite in every training"
    estimate = pair["metrics"][name]
    where = f"{counted(x, AXES[kind].removesuffix('s'))}: " if kind in AXES and x else ""
    interval = estimate["ci95"]
    if interval is None:
        return f"{where}one seed says nothing of the next: --seeds 10"
    low, high = interval
    larger = name not in SMALLER_IS_BETTER
    better = low > 0 if larger else high < 0
    worse = high < 0 if larger else low > 0
    what = "reuse helps" if better else "reuse harms" if worse else "reuse is not seen to help"
    change = f"{name} {_signed(estimate['mean'])}, 95 % interval {_signed(low)} to {_signed(high)}"
    sentence = f"{where}{what} ({change})"
    if (ratio := pair["error_ratio"]) is None or ratio["ratio"] is None:
        return sentence
    scratch, reused = ratio["errors"]
    sentence += (
        f"; error {scratch:.2%} from scratch, {reused:.2%} with reuse: a factor of "
        f"{ratio['ratio']:.2f}"
    )
    if kind != "transfer":
        return sentence
    if ratio["ci95"] is None:
        return f"{sentence}, of which nothing certain can be said"
    low, high = (max(0.0, end) for end in ratio["ci95"])  # errors are never negative
    verdict = "may hold" if low <= CHAPTERS_FACTOR <= high else "does not hold"
    return (
        f"{sentence}, 95 % interval {low:.2f} to {high:.2f}; the chapter's factor of four "
        f"{verdict} here"
    )


def picture(result: dict[str, Any]) -> bytes:
    """Draws the mean of every arm over `x`, its 95 % interval, and the single values, as PNG."""
    from matplotlib.figure import Figure

    name, series = _series(result)
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    if result["kind"] in AXES:
        for word, line in series:
            xs = [x for x, _ in line]
            means = [estimate["mean"] for _, estimate in line]
            bars = [estimate["ci95"] or [estimate["mean"]] * 2 for _, estimate in line]
            (drawn,) = axes.plot(xs, means, marker="o", label=word)
            lows, highs = zip(*bars, strict=True)
            axes.fill_between(xs, lows, highs, color=drawn.get_color(), alpha=0.2, linewidth=0)
            for x, estimate in line:
                values = estimate["values"]
                axes.scatter([x] * len(values), values, s=8, color=drawn.get_color(), alpha=0.5)
        axes.set_xlabel(AXES[result["kind"]])
        axes.set_xticks(sorted({x for _, line in series for x, _ in line}))
        if result["kind"] == "labels":
            axes.set_xscale("log")
            ticks = sorted({x for _, line in series for x, _ in line})
            axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
            axes.minorticks_off()
        if len(series) > 1:
            axes.legend()
    else:
        arms = [arm for arm in result["arms"] if arm["metrics"]]
        for index, arm in enumerate(arms):
            estimate = arm["metrics"][name]
            low, high = estimate["ci95"] or [estimate["mean"]] * 2
            axes.plot([index, index], [low, high], linewidth=3, color=f"C{index}")
            values = estimate["values"]
            axes.scatter([index] * len(values), values, s=14, alpha=0.5, color=f"C{index}")
            axes.plot([index - 0.1, index + 0.1], [estimate["mean"]] * 2, color=f"C{index}")
        for pair in zip(*(arm["metrics"][name]["values"] for arm in arms), strict=True):
            axes.plot(range(len(arms)), pair, color="grey", linewidth=0.5, alpha=0.5)
        axes.set_xticks(range(len(arms)), [arm["name"] for arm in arms])
        axes.set_xlim(-0.5, max(1, len(arms)) - 0.5)
    axes.set_ylabel(f"test {name}")
    seeds = counted(len(result["seeds"]), "seed")
    axes.set_title(f"mean of {seeds}, 95 % interval, single values")
    axes.grid(alpha=0.3)
    content = io.BytesIO()
    figure.savefig(content, format="png")
    return content.getvalue()
