"""A training as one watches it: header, a bar or lines while it runs, a table and a curve after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dnnlab.methods.session import Session
from dnnlab.methods.summary import Preview
from dnnlab.report.curve import curve
from dnnlab.report.screen import cell, table
from dnnlab.report.tables import confusions, show_confusion
from dnnlab.report.text import counted, duration, shown, size
from dnnlab.training.loop import Progress as Step
from dnnlab.training.loop import Record

HIDDEN = ("lr", "gradient_norm", "largest_gradient_norm", "penalty")
"""In the records, but not on the line of an epoch."""


def show_header(session: Session, out: Console) -> None:
    """Prints in two lines what is about to be trained, and on what."""
    experiment, plan, network = session.experiment, session.plan, session.state.network
    sizes = ", ".join(f"{len(split):,} {name}" for name, split in session.data.splits().items())
    out.print(f"{experiment.data.name}: {sizes}")
    parts = [
        f"{network.num_trainable + network.num_fixed:,} parameters",
        f"{plan.total_updates:,} updates ({plan.updates_per_epoch:,} an epoch)",
        f"{session.machine.device}, {counted(session.machine.threads, 'thread')}",
        experiment.training.precision,
        f"{session.engine.name} engine",
    ]
    out.print(f"{experiment.architecture.name}: {', '.join(parts)}")


def watch(steps: Iterable[Step], session: Session, out: Console) -> None:
    """Follows a training: in a terminal a bar with rate and time left, else a line an epoch."""
    total = session.plan.total_updates
    if not out.is_terminal:
        for step in steps:
            for line in _lines(step, session):
                out.print(line)
        return
    columns = (
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        begun = session.state.step
        task = bar.add_task("", total=total, completed=begun, rate="")
        for step in steps:
            elapsed = bar.tasks[0].elapsed or 0.0
            if step.rolled_back:  # what it went back over was applied all the same
                begun -= step.rolled_back.update - step.step
            rate = f"{(step.step - begun) / elapsed:,.0f} updates/s" if elapsed else ""
            bar.update(task, completed=step.step, rate=rate)
            for line in _lines(step, session):
                bar.console.print(line)


def _lines(step: Step, session: Session) -> Iterator[str]:
    state, divergence = session.state, session.experiment.training.divergence
    if step.skipped:
        yield escape(f"{step.skipped}; left out ({state.skipped} of at most {divergence.skip})")
    if step.rolled_back and divergence.rollback:
        done = f"back to update {step.step:,}, lr times {state.lr_factor:.3g}"
        count = f"{state.rollbacks} of at most {divergence.rollback.max}"
        yield escape(f"{step.rolled_back}; {done} ({count})")
    if not step.records:
        return
    epochs = session.plan.epoch_of(session.plan.total_updates)
    parts = [f"epoch {step.records[0].epoch:g}/{epochs:g}"]
    parts += [f"{record.split}: {_values(record)}" for record in step.records]
    yield "  ".join(parts)


def _values(record: Record) -> str:
    return ", ".join(
        f"{name} {shown(value)}" for name, value in record.values.items() if name not in HIDDEN
    )


def show_result(
    result: dict[str, Any],
    rows: list[dict[str, Any]],
    out: Console,
    class_names: Sequence[str] = (),
) -> None:
    """Prints the metrics of every split with the kept weights, and how the loss went."""
    tables = confusions(result["metrics"]["test"])
    names = [name for name in result["metrics"]["test"] if name not in tables]
    metrics = table("split", *names)
    for split, values in result["metrics"].items():
        metrics.add_row(split, *(_or_dash(values[name]) for name in names))
    out.print(metrics)
    for name, counts in tables.items():
        show_confusion(f"{name} (test)", counts, class_names, out)
    series = {
        split: [(row["epoch"], row["loss"]) for row in rows if _plottable(row, split)]
        for split in ("train", "validation")
    }
    lines = curve({name: points for name, points in series.items() if points}, x_name="epoch")
    if lines:
        out.print()
        out.print(escape("\n".join(["loss  " + lines[0], *lines[1:]])))
    best, seconds = result["best"], result["seconds"]
    spent = f"{duration(seconds['total'])}, training {duration(seconds['training'])}"
    back = result["rollbacks"]
    went = f"; went back {counted(back, 'time')}" if back else ""
    out.print(f"\n{result['updates']:,} updates in {spent}; {cell(result['ended'])}{went}")
    if best:
        out.print(f"best validation {best['metric']} {_or_dash(best['value'])} at {best['step']:,}")


def _plottable(row: dict[str, Any], split: str) -> bool:
    return row.get("split") == split and isinstance(row.get("loss"), int | float)


def _or_dash(value: float | None) -> str:
    return "-" if value is None or value != value else shown(value)


def show_preview(preview: Preview, out: Console) -> None:
    """Prints what a dry run found out."""
    rows = table("", "")
    sizes = ", ".join(f"{count:,} {name}" for name, count in preview.sizes.items())
    total = preview.trainable + preview.fixed
    threads = counted(preview.threads, "thread")
    where = f"{preview.device}, {threads}, {preview.precision}, {preview.engine} engine"
    for name, value in (
        ("data", sizes),
        ("parameters", f"{total:,} ({preview.trainable:,} trainable)"),
        ("updates", f"{preview.updates:,} ({preview.updates_per_epoch:,} an epoch)"),
        ("runs on", where),
        ("memory", f"{size(preview.memory_bytes)} and the activations of a batch"),
        ("disk", f"{size(preview.disk_bytes)} at the most"),
        ("time", f"about {duration(preview.seconds)}, evaluations not counted"),
    ):
        rows.add_row(name, value)
    rows.columns[1].justify = "left"
    rows.show_header = False
    out.print(rows)
