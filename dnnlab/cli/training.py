"""Commands that train: train, resume."""

from __future__ import annotations

import json as json_text
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dnnlab.cli.options import (
    LAST,
    RUNS,
    ConfigFile,
    Device,
    Json,
    Quiet,
    Run,
    Runs,
    Seed,
    Set,
    short_name,
    with_shortcuts,
)

if TYPE_CHECKING:
    from dnnlab.methods.train import Training

Name = Annotated[
    str | None, typer.Option("--name", help="The run's name; else CONFIG-DATA and a number.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check all, print size and time, write nothing.")
]


def train(
    config: ConfigFile,
    options: Set = [],  # noqa: B006
    name: Name = None,
    runs: Runs = RUNS,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train the net that a config describes.

    \b
    dnnlab train configs/fashion_mlp.yaml
    dnnlab train configs/selu100.yaml --set optimizer.lr=3e-3 --seed 7
    """
    from dnnlab.config.read import read
    from dnnlab.report.screen import console, say, show_warnings

    settings = read(config, with_shortcuts(options, seed, device))
    if not quiet:
        show_warnings(settings.warnings(), sys.stderr)
    if dry_run:
        from dnnlab.methods.summary import preview
        from dnnlab.report.training import show_preview
        from dnnlab.runs.names import check_name

        if name is not None:
            check_name(name, runs)
        cost = preview(settings)
        if json:
            typer.echo(json_text.dumps(cost.to_json()))
        else:
            show_preview(cost, console())
            say(f"nothing was written. next: dnnlab train {config}")
        return
    from dnnlab.methods.train import start

    _run(start(settings, runs=runs, name=name, command=sys.argv), json=json, quiet=quiet)


def resume(
    run: Run = LAST,
    runs: Runs = RUNS,
    device: Device = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was stopped or killed, with the same bits as if it had not been.

    \b
    dnnlab resume @last
    """
    from dnnlab.methods.resume import resume as reopen
    from dnnlab.report.screen import note, say
    from dnnlab.runs.names import find

    path = find(run, runs)
    training = reopen(path, device=device)
    if not quiet:
        say(f"{path}: going on at update {training.session.state.step:,}")
        for text in training.notes:
            note(text)
    _run(training, json=json, quiet=quiet)


def _run(training: Training, *, json: bool, quiet: bool) -> None:
    from dnnlab.cli.signals import stoppable
    from dnnlab.methods.train import Interrupted
    from dnnlab.report.screen import console, say
    from dnnlab.report.training import show_header, show_result, watch
    from dnnlab.runs.records import read_json

    path, progress = training.folder.path, console(stderr=True)
    if not quiet:
        show_header(training.session, progress)
        say(f"run: {path}\n")
    with stoppable() as stop:
        stop.if_at_once = f"what was saved before is whole. resume: dnnlab resume {path}"
        steps = training.carry_on(stop)
        try:
            if quiet:
                for _ in steps:
                    pass
            else:
                watch(steps, training.session, progress)
        except Interrupted as error:
            say(f"interrupted at update {error.step:,}, saved.")
            say(f"resume: dnnlab resume {path}")
            raise typer.Exit(stop.exit_code) from None
    result = read_json(path / "result.json")
    if json:
        typer.echo(json_text.dumps(result))
        return
    names = training.session.data.class_names
    show_result(result, training.folder.rows(), console(), names)
    typer.echo(f"\nrun: {path}")
    if not quiet:
        say(f"next: dnnlab evaluate {short_name(path)}")
