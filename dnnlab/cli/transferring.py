"""The command that reuses layers: transfer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dnnlab.cli.following import Followed, carry_out, carry_out_study
from dnnlab.cli.options import (
    RUNS,
    Device,
    DryRun,
    Json,
    Name,
    Quiet,
    Runs,
    Seed,
    Set,
    Which,
    with_shortcuts,
)
from dnnlab.cli.signals import stop_at_interrupt, stoppable
from dnnlab.report.screen import console, note, say, show_json, show_warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnlab.config.read import Config
    from dnnlab.methods.arms import Arm
    from dnnlab.methods.comparison import Kind
    from dnnlab.methods.source import Origin, Source
    from dnnlab.methods.transfer import Prepared

From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="SOURCE",
        help="Whose layers: a run, a config (trained first, or its finished run), a .safetensors.",
    ),
]
To = Annotated[
    Path,
    typer.Option("--to", metavar="CONFIG", help="The new net; its transfer section says how."),
]
Scratch = Annotated[
    bool, typer.Option("--scratch", help="Train the same from scratch beside it, and compare.")
]
Seeds = Annotated[
    int, typer.Option("--seeds", min=1, max=1000, metavar="N", help="Train with N seeds.")
]
ReuseDepths = Annotated[
    str | None,
    typer.Option(
        "--reuse-depths", metavar="all|0,1,2", help="Compare how many layers to reuse, and plot it."
    ),
]


def transfer(
    source: From,
    target: To,
    checkpoint: Which = "kept",
    scratch: Scratch = False,
    seeds: Seeds = 1,
    reuse_depths: ReuseDepths = None,
    options: Set = [],  # noqa: B006
    name: Name = None,
    runs: Runs = RUNS,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a net whose lower layers begin with the weights of another.

    \b
    dnnlab transfer --from configs/task_a.yaml --to configs/task_b.yaml
    dnnlab transfer --from @last --to configs/task_b.yaml --scratch --seeds 10
    """
    from dnnlab.config.read import read
    from dnnlab.methods.source import Origin, find_source

    stop_at_interrupt("nothing was written")
    config = read(target, with_shortcuts(options, seed, device))
    origin = Origin.of(find_source(source, runs), checkpoint)
    if not quiet:
        show_warnings(config.warnings(), sys.stderr)
        for text in _unlike(config, origin):
            note(text)
    foreseen = _foreseen(config, origin, runs)
    if dry_run:
        if name is not None:
            from dnnlab.runs.names import check_name

            check_name(name, runs)
        _show_table(foreseen, quiet=json or quiet)
        if json:
            show_json(foreseen.table.to_json())
        else:
            say(f"nothing was written. next: dnnlab transfer --from {source} --to {target}")
        return
    if not scratch and seeds == 1 and reuse_depths is None:
        _one(config, origin, foreseen, name=name, runs=runs, json=json, quiet=quiet)
        return
    from dnnlab.methods import study

    kind, arms = _arms(foreseen, scratch=scratch, depths=reuse_depths)
    _show_table(foreseen, quiet=quiet)
    with stoppable() as stop:
        begun = study.begin(
            config, kind, origin, arms, seeds=seeds, runs=runs, name=name, command=sys.argv
        )
        stop.watch()
        carry_out_study(begun, stop, json=json, quiet=quiet)


def _unlike(config: Config, origin: Origin) -> Iterator[str]:
    """Yields what makes the two nets unlike in what no table of shapes shows."""
    from dnnlab.methods.changes import recorded

    other = origin.config.experiment if origin.config else None
    if other is None and origin.path is not None and origin.path.is_dir():
        other = recorded(origin.path)
    if other is not None and other.activation.name != config.experiment.activation.name:
        yield (
            f"activation: {other.activation.name} there, {config.experiment.activation.name} here; "
            "reused weights expect their own"
        )


def _foreseen(config: Config, origin: Origin, runs: Path) -> Prepared:
    """Returns what will be reused, before anything is trained for it. Shows the table of nets that
    have nothing in common.
    """
    from dnnlab.methods.source import load_source, run_of
    from dnnlab.methods.transfer import NothingInCommon, expected, prepare

    path, there = origin.path, True
    if origin.config is not None:
        path, there = run_of(origin.config, runs)
    source: Source
    if path is not None and there:
        source = load_source(path, origin.which)
    else:
        assert origin.config is not None
        source = expected(origin.config)
    try:
        return prepare(config, source)
    except NothingInCommon as error:
        from dnnlab.report.study import show_transfer

        show_transfer(error.table, config.experiment.optimizer.lr, console(stderr=True))
        raise


def _show_table(prepared: Prepared, *, quiet: bool) -> None:
    from dnnlab.report.study import show_transfer

    if quiet:
        return
    show_transfer(prepared.table, prepared.config.experiment.optimizer.lr, console(stderr=True))
    for text in prepared.notes:
        note(text)


def _one(
    config: Config,
    origin: Origin,
    foreseen: Prepared,
    *,
    name: str | None,
    runs: Path,
    json: bool,
    quiet: bool,
) -> None:
    """Trains one net."""
    from dnnlab.methods.source import load_origin
    from dnnlab.methods.train import Interrupted, start
    from dnnlab.methods.transfer import prepare

    with stoppable() as stop:
        follow = Followed(stop, quiet=quiet).source
        try:
            source = load_origin(
                origin, runs=runs, command=sys.argv, follow=follow, stop=stop, at_folder=stop.watch
            )
        except Interrupted:
            say("interrupted while the source was trained, saved.")
            say("resume: the same command goes on with it")
            raise typer.Exit(stop.exit_code) from None
        prepared = prepare(config, source, foreseen.data)
        _show_table(prepared, quiet=quiet)
        training = start(
            prepared.config,
            runs=runs,
            name=name,
            command=sys.argv,
            at_folder=stop.watch,
            data=prepared.data,
            heritage=prepared.heritage(),
        )
        carry_out(training, stop, json=json, quiet=quiet)


def _arms(foreseen: Prepared, *, scratch: bool, depths: str | None) -> tuple[Kind, tuple[Arm, ...]]:
    from dnnlab.methods.arms import arms_of_depths, arms_of_transfer

    experiment = foreseen.config.experiment
    if depths is None:
        return "transfer", arms_of_transfer(experiment, scratch=scratch)
    return "depths", arms_of_depths(experiment, depths, len(foreseen.table.rows), scratch=scratch)
