"""Commands that train: train, resume."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dnnlab.cli.following import carry_out, carry_out_study
from dnnlab.cli.options import (
    LAST,
    RUNS,
    ConfigFile,
    Device,
    DryRun,
    Json,
    Name,
    Quiet,
    Run,
    Runs,
    Seed,
    Set,
    with_shortcuts,
)
from dnnlab.cli.signals import stop_at_interrupt, stoppable
from dnnlab.report.screen import console, note, say, show_json, show_warnings

AcceptChanges = Annotated[
    bool,
    typer.Option("--accept-changes", help="Go on although settings changed that matter."),
]
ScheduleOption = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="rescale|hold",
        help="With other training.epochs: stretch the schedule, or keep it and its last rate.",
    ),
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Refuse if the bits may differ from an unstopped run's.")
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

    stop_at_interrupt("nothing was written")
    settings = read(config, with_shortcuts(options, seed, device))
    if not quiet:
        show_warnings(settings.warnings(), sys.stderr)
        if settings.experiment.transfer is not None:
            note(f"from scratch; dnnlab transfer --from SOURCE --to {config} reuses layers")
    if dry_run:
        from dnnlab.methods.summary import preview
        from dnnlab.report.training import show_preview
        from dnnlab.runs.names import check_name

        if name is not None:
            check_name(name, runs)
        cost = preview(settings)
        for text in () if quiet else cost.findings:
            note(text)
        if json:
            show_json(cost.to_json())
        else:
            show_preview(cost, console())
            word = "train" if settings.experiment.pretraining is None else "pretrain"
            say(f"nothing was written. next: dnnlab {word} {config}")
        return
    from dnnlab.methods.train import start

    with stoppable() as stop:
        training = start(settings, runs=runs, name=name, command=sys.argv, at_folder=stop.watch)
        carry_out(training, stop, json=json, quiet=quiet)


def resume(
    run: Run = LAST,
    options: Set = [],  # noqa: B006
    accept_changes: AcceptChanges = False,
    schedule: ScheduleOption = None,
    exact: Exact = False,
    runs: Runs = RUNS,
    device: Device = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run that was stopped or killed, with the same bits as if it had not been.

    \b
    dnnlab resume @last
    dnnlab resume @last --set training.epochs=20 --schedule hold
    """
    from dnnlab.errors import ConfigError
    from dnnlab.methods.resume import Terms
    from dnnlab.methods.resume import resume as reopen
    from dnnlab.runs.names import RUN, STUDY, find, unfinished_study

    if schedule not in (None, "rescale", "hold"):
        raise ConfigError("--schedule", message=f"--schedule {schedule}: not rescale or hold")
    path = find(run, runs, (RUN, STUDY))
    if run == LAST and not options and (path / "result.json").exists():
        path = unfinished_study(runs) or path
    if (path / STUDY).exists():
        _resume_study(path, options=options, device=device, json=json, quiet=quiet)
        return
    with stoppable() as stop:
        terms = Terms(
            options=with_shortcuts(options, None, device),
            accept_changes=accept_changes,
            schedule=schedule,  # type: ignore[arg-type]
            exact=exact,
        )
        training = reopen(path, terms)
        stop.watch()
        if not quiet:
            say(f"{path}: going on at update {training.session.state.step:,}")
        carry_out(training, stop, json=json, quiet=quiet)


def _resume_study(
    path: Path, *, options: list[str], device: str | None, json: bool, quiet: bool
) -> None:
    from dnnlab.errors import ConfigError
    from dnnlab.methods.study import reopen

    if options or device is not None:
        message = f"{path} is a study: its trainings go on with the settings they have"
        raise ConfigError("--set", message=message)
    with stoppable() as stop:
        study = reopen(path)
        stop.watch()
        carry_out_study(study, stop, json=json, quiet=quiet)
