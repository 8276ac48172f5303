"""Tables: the layers of a net, the runs of a folder, the checks of the doctor, metrics."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from dnnlab.report.screen import cell, table
from dnnlab.report.text import duration, shown

if TYPE_CHECKING:  # a table of runs needs no torch
    from dnnlab.methods.doctor import Check
    from dnnlab.methods.summary import Summary

MOST_ROWS = 40
"""Layers shown before the middle of a deep net is folded away."""


def show_summary(summary: Summary, out: Console) -> None:
    """Prints the layers like Keras's summary(): name, kind, output shape, parameters."""
    rows = table("layer", "kind", "output shape", "parameters")
    for column in rows.columns[1:3]:
        column.justify = "left"
    layers = summary.layers
    folded = len(layers) - MOST_ROWS if len(layers) > MOST_ROWS else 0
    head = (len(layers) - folded) // 2
    for index, row in enumerate(layers):
        if folded and index == head:
            rows.add_row("...", f"{folded} more layers", "", "")
        if folded and head <= index < head + folded:
            continue
        shape = ", ".join(["B", *map(str, row.output_shape)])
        count = row.trainable + row.fixed
        rows.add_row(cell(row.name), cell(row.kind), f"({shape})", f"{count:,}" if count else "0")
    out.print(rows)
    total = summary.trainable + summary.fixed
    out.print(
        f"\ntotal {total:,}, trainable {summary.trainable:,}, not trainable {summary.fixed:,}"
    )


def show_runs(runs: list[dict[str, Any]], out: Console) -> None:
    """Prints one line per run: state, progress, test loss and first metric, best, time."""
    rows = table("run", "state", "updates", "test", "best", "time")
    for column in rows.columns[1:]:
        column.justify = "left"
    for run in runs:
        measured, best, seconds = _mapping(run["test"]), _mapping(run["best"]), run["seconds"]
        numbers = [item for item in measured.items() if item[0] not in confusions(measured)][:2]
        test = ", ".join(f"{cell(name)} {_number(value)}" for name, value in numbers) or "-"
        best_shown = f"{cell(best.get('metric'))} {_number(best.get('value'))}" if best else "-"
        spent = duration(seconds) if _is_number(seconds) else "-"
        name, state = cell(run["run"]), cell(run["state"])
        trainings = run["trainings"]
        reached = f"{run['step']:,}"
        if trainings is not None:
            reached = f"{trainings['done']} of {trainings['of']} trainings"
        rows.add_row(name, state, reached, test, best_shown, spent)
    out.print(rows)


def _mapping(value: object) -> Mapping[str, Any]:
    """Returns what a run's file should hold, or an empty one where somebody else wrote the file."""
    return value if isinstance(value, dict) else {}


def show_metrics(result: dict[str, Any], out: Console, class_names: Sequence[str] = ()) -> None:
    """Prints the metrics of one split."""
    rows = table(f"{result['split']} ({result['examples']:,} examples)", "")
    rows.columns[1].justify = "right"
    tables = confusions(result["metrics"])
    for name, value in result["metrics"].items():
        if name not in tables:
            rows.add_row(name, _number(value))
    out.print(rows)
    for name, counts in tables.items():
        show_confusion(name, counts, class_names, out)


def confusions(metrics: Mapping[str, Any]) -> dict[str, list[list[int]]]:
    """Returns those metrics that are tables of counts."""
    return {name: value for name, value in metrics.items() if isinstance(value, list)}


def show_confusion(
    name: str, counts: Sequence[Sequence[int]], class_names: Sequence[str], out: Console
) -> None:
    """Prints how often each true class (row) was called each class (column)."""
    names = [*map(cell, class_names or range(len(counts)))]
    rows = table(f"{name}: true", *names)
    for word, row in zip(names, counts, strict=True):
        rows.add_row(word, *(str(count) if count else "·" for count in row))
    out.print()
    out.print(rows)


def show_checks(checks: list[Check], out: Console) -> None:
    """Prints the doctor's findings, the verdict first."""
    colours = {"ok": "green", "note": "yellow", "problem": "red"}
    width = max(len(check.name) for check in checks)
    for check in checks:
        verdict = f"[{colours[check.verdict]}]{check.verdict:<7}[/]"
        out.print(f"{verdict} {check.name:<{width}}  {cell(check.finding)}")


def _number(value: Any) -> str:
    if value is None or value != value:
        return "-"
    return shown(value) if _is_number(value) else cell(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max
