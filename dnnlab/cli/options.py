"""Options that several commands share, so that they are named and explained once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")]
Run = Annotated[
    str,
    typer.Argument(
        metavar="[RUN]",
        help="A run: its folder, its name, the beginning of its name, or @last (the default).",
    ),
]
Set = Annotated[
    list[str],
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting, such as optimizer.lr=3e-4. May be given several times.",
    ),
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of all runs.")]
Device = Annotated[
    str | None, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda or cuda:1.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="The training's seed.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing but the result, and errors.")]
Name = Annotated[
    str | None, typer.Option("--name", help="The run's name; else CONFIG-DATA and a number.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check all, print size and time, write nothing.")
]
Which = Annotated[
    str,
    typer.Option(
        "--checkpoint",
        metavar="WHICH",
        help="kept (what the run stands for), best, last, or a step.",
    ),
]

RUNS = Path("runs")
LAST = "@last"


def with_shortcuts(options: list[str], seed: int | None, device: str | None) -> list[str]:
    """Returns the overrides with --seed and --device as the settings they are."""
    extra = [] if seed is None else [f"training.seed={seed}"]
    if device is not None:
        extra.append(f"training.device={device}")
    return [*options, *extra]


def check_place(path: Path, option: str) -> None:
    """Raises ConfigError where no file can be written to `path`, before the work is done."""
    from dnnlab.errors import ConfigError
    from dnnlab.spec import LONGEST_NAME

    if os.path.isdir(path):
        raise ConfigError(option, message=f"{option} {path}: that is a folder")
    if not os.path.isdir(path.parent):
        raise ConfigError(option, message=f"{option} {path}: there is no folder {path.parent}")
    if (
        length := len(os.fsencode(path.name))
    ) > LONGEST_NAME - 20:  # while it is written it has more
        raise ConfigError(option, message=f"{option}: a name of {length} bytes is too long")


def short_name(path: Path) -> str:
    """Returns how one names a run on the command line: its name alone in the usual folder."""
    return path.name if path.parent == RUNS else str(path)
