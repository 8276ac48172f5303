"""The command that looks for a learning rate: lr-find."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dnnlab.cli.options import (
    LAST,
    RUNS,
    Device,
    Json,
    Quiet,
    Runs,
    Seed,
    Set,
    check_place,
    short_name,
    with_shortcuts,
)
from dnnlab.cli.signals import ignore_interrupt, stop_at_interrupt
from dnnlab.report.screen import note, say, show_json, show_text, show_warnings

if TYPE_CHECKING:
    from dnnlab.config.read import Config
    from dnnlab.methods.lr_find import Range

Subject = Annotated[
    str,
    typer.Argument(
        metavar="[CONFIG|RUN]",
        help="A YAML file: from first weights. A run (else @last): from its newest checkpoint.",
    ),
]
First = Annotated[float, typer.Option("--start", help="The first rate.")]
Last = Annotated[float, typer.Option("--end", help="The last rate.")]
Updates = Annotated[
    int, typer.Option("--updates", min=50, max=100_000, help="From the first to the last.")
]
Orders = Annotated[
    int, typer.Option("--orders", min=1, max=100, help="Orders of the data, one seed each.")
]
PlotFile = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw the curve: a .png.")
]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write every loss: a .csv.")
]
Apply = Annotated[
    Path | None,
    typer.Option(
        "--apply", metavar="FILE", help="Write a copy of the config with the rate: a .yaml."
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify", help="Train shortly with the pick, a third of it, and three times it."
    ),
]


def lr_find(
    subject: Subject = LAST,
    options: Set = [],  # noqa: B006
    start: First = 1e-5,
    end: Last = 10.0,
    updates: Updates = 500,
    orders: Orders = 3,
    plot: PlotFile = None,
    csv: CsvFile = None,
    apply: Apply = None,
    verify: Verify = False,
    runs: Runs = RUNS,
    seed: Seed = None,
    device: Device = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find a learning rate: train with a rising one, and see where the loss falls and turns up.

    \b
    dnnlab lr-find configs/fashion_mlp.yaml
    dnnlab lr-find mine.yaml --plot range.png --apply mine_tuned.yaml
    dnnlab lr-find @last --end 100
    """
    stop_at_interrupt("nothing was written")
    _check_range(start, end)
    _check_files(plot, csv, apply)
    run = _run(subject, runs)
    path = Path(subject) if run is None else run / "config.yaml"
    overrides = with_shortcuts(options, seed if run is None else None, device)
    if apply is not None:
        _check_apply(path, apply, options)

    config = _read(path, overrides) if run is None else None
    if config is not None and not quiet:
        show_warnings(config.warnings(), sys.stderr)

    from dnnlab.methods import lr_find as finding
    from dnnlab.report import lr_find as report

    if config is not None:
        begin = finding.from_config(config)
    else:
        assert run is not None
        begin = finding.from_run(run, overrides, seed)
    for text in () if quiet else begin.notes:
        note(text)
    test = finding.RangeTest(start, end, updates, orders)
    with report.progress(test, quiet=quiet) as at:
        result = finding.find(begin, test, at)
    pick = result.picked
    constant = result.found.constant
    verified = finding.verify(begin, constant, updates) if verify and constant else None
    files = {
        "plot": (plot, report.picture(result, subject) if plot else b""),
        "csv": (csv, report.table(result).encode() if csv else b""),
        "apply": (apply, _patched(path, pick, apply) if apply and pick else b""),
    }
    ignore_interrupt()
    written = {what: str(file) for what, (file, content) in files.items() if _write(file, content)}
    if json:
        about = {"config": str(path), "run": None if run is None else str(run)}
        more = {"verified": verified and verified.to_json(), "files": written}
        show_json({**about, **result.to_json(), **more})
    else:
        show_text(*report.lines(result))
        if verified is not None:
            show_text(*report.verdict(verified))
        if not quiet:
            for file in written.values():
                say(f"{file} written")
            _say_next(result, subject, run, overrides, written.get("apply"))
    if apply is not None and pick is None:
        say(f"{apply} was not written: there is no suggestion")
        raise typer.Exit(1)


def _check_range(start: float, end: float) -> None:
    """Raises ConfigError if these are no two rates, the first below the last."""
    from dnnlab.errors import ConfigError

    for option, rate in (("--start", start), ("--end", end)):
        if not 1e-20 <= rate <= 1e20:
            raise ConfigError(option, message=f"{option} {rate:g}: not from 1e-20 to 1e+20")
    if end < 10 * start:
        raise ConfigError(
            "--end", message=f"--end {end:g}: not at least ten times --start {start:g}"
        )


def _check_files(plot: Path | None, csv: Path | None, apply: Path | None) -> None:
    """Raises ConfigError if a file could not be written, before the work is done."""
    from dnnlab.errors import ConfigError

    for option, file, endings in (
        ("--plot", plot, (".png",)),
        ("--csv", csv, (".csv",)),
        ("--apply", apply, (".yaml", ".yml")),
    ):
        if file is not None and file.suffix not in endings:
            raise ConfigError(option, message=f"{option} {file}: the ending is not {endings[0]}")
        if file is not None:
            check_place(file, option)
    if apply is not None and os.path.lexists(apply):
        raise ConfigError("--apply", message=f"--apply {apply}: exists; it is left as it is")


def _check_apply(path: Path, apply: Path, options: list[str]) -> None:
    """Raises ConfigError if no copy of this config can be written, before the work is done."""
    from dnnlab.errors import ConfigError

    if options:
        raise ConfigError(
            "--apply",
            message="--apply copies the file: a rate found with --set does not belong to it",
            remedy="write the settings into the file first",
        )
    _patched(path, 0.0123, apply)


def _patched(path: Path, lr: float, apply: Path) -> bytes:
    from dnnlab.config.patch import with_lr

    return with_lr(_read(path, []), lr, apply)


def _read(path: Path, options: list[str]) -> Config:
    from dnnlab.config.read import read

    return read(path, options)


def _run(subject: str, runs: Path) -> Path | None:
    """Returns the run that a word means, or None where it means a config."""
    if subject.endswith((".yaml", ".yml")) or os.path.isfile(subject):
        return None
    from dnnlab.runs.names import find

    path = find(subject, runs)
    if subject == LAST:
        say(f"@last is {path}")
    return path


def _write(file: Path | None, content: bytes) -> bool:
    from dnnlab.disk import explained, replace

    if file is None or not content:
        return False
    with explained(file):
        replace(file, content)
    return True


def _say_next(
    result: Range, subject: str, run: Path | None, options: list[str], applied: str | None
) -> None:
    kept = "".join(f" --set {shlex.quote(option)}" for option in options)
    if applied is not None:
        say(f"next: dnnlab train {applied}")
    elif (refusal := result.found.refusal) is not None:
        say(f"next: dnnlab lr-find {subject}{kept} {refusal.options}")
    elif run is None:
        say(f"next: dnnlab train {subject}{kept} --set optimizer.lr={result.picked:g}")
    else:
        rate = f"--set optimizer.lr={result.picked:g}"
        say(f"next: dnnlab resume {short_name(run)}{kept} {rate} --accept-changes")
