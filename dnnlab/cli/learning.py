"""Commands that explain and check; of these only doctor loads torch."""

from __future__ import annotations

import json as json_text
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dnnlab.cli.options import RUNS, ConfigFile, Json, Runs, Set, check_place
from dnnlab.report.screen import console, say, show_json, show_text, show_warnings

if TYPE_CHECKING:
    from dnnlab.spec import Spec

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FAMILY [CHOICE]]", help="Such as: optimizer, or optimizer nadam."),
]
All = Annotated[
    bool, typer.Option("--all", help="Every choice and setting, as a page of Markdown.")
]
Plot = Annotated[
    bool, typer.Option("--plot", help="Draw learning rate and momentum over the training.")
]
KindOption = Annotated[str, typer.Option("--kind", help="default or self-normalizing.")]
File = Annotated[Path, typer.Argument(metavar="[FILE]", help="The config to write.")]
SchemaOut = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it to a file.")
]


def init(
    file: File = Path("experiment.yaml"), kind: KindOption = "default", json: Json = False
) -> None:
    """Write a commented config to start from.

    \b
    dnnlab init mine.yaml --kind self-normalizing
    """
    from typing import get_args

    from dnnlab.config.schema import FILE_NAME, json_schema
    from dnnlab.config.starters import Kind, starter
    from dnnlab.disk import explained, write_new
    from dnnlab.errors import ConfigError

    if kind not in get_args(Kind):
        known = " or ".join(get_args(Kind))
        raise ConfigError("--kind", message=f"--kind {kind}: not {known}")
    if file.suffix not in (".yaml", ".yml"):
        raise ConfigError("init", message=f"{file}: a config's name ends in .yaml")
    check_place(file, "init")
    if os.path.lexists(file):
        raise ConfigError("init", message=f"{file} exists; it is left as it is")
    schema = file.with_name(FILE_NAME)
    with explained(file):
        write_new(file, starter(kind, str(file)).encode())  # type: ignore[arg-type]
        if not os.path.lexists(schema):
            write_new(schema, json_text.dumps(json_schema(), indent=1).encode())
    if json:
        show_json({"schema": 1, "config": str(file), "kind": kind})
        return
    show_text(f"{file}: the {kind} net; {schema} lets editors complete and check it")
    say(f"next: dnnlab check {file} && dnnlab train {file}")


def check(
    config: ConfigFile,
    options: Set = [],  # noqa: B006
    plot: Plot = False,
    json: Json = False,
) -> None:
    """Check a config: every mistake with its line, and settings that defeat each other.

    \b
    dnnlab check configs/selu100.yaml --set activation=relu
    dnnlab check configs/one_cycle.yaml --plot
    """
    from dnnlab.config.read import read
    from dnnlab.report.text import counted

    _no_plot_in_json(plot, json)
    found = read(config, options)
    warnings = found.warnings()
    if json:
        listed = [{"place": each.place, "message": each.message} for each in warnings]
        about = {"schema": 1, "config": str(config), "ok": True, "warnings": listed}
        show_json(about)
        return
    show_warnings(warnings, sys.stdout)
    count = f", {counted(len(warnings), 'warning')}" if warnings else ""
    show_text(f"{config}: no mistakes{count}")
    if plot:
        from dnnlab.report.schedule import of_experiment

        show_text("", *of_experiment(found.experiment))
    say(f"next: dnnlab train {config}")


def _no_plot_in_json(plot: bool, json: bool) -> None:
    """Raises ConfigError: a picture is for eyes."""
    from dnnlab.errors import ConfigError

    if plot and json:
        raise ConfigError("--plot", message="--plot draws a picture; it does not go with --json")


def describe(
    words: Words = None, everything: All = False, plot: Plot = False, json: Json = False
) -> None:
    """Explain what a config can say: all of it, a family, or one choice with its settings.

    \b
    dnnlab describe
    dnnlab describe optimizer nadam
    dnnlab describe schedule one_cycle --plot
    """
    from dnnlab.errors import ConfigError
    from dnnlab.report import describe as describing

    _no_plot_in_json(plot, json)
    found = describing.find(words) if words else None
    drawn = _schedule_of(found) if plot else None
    if everything and (words or json):
        raise ConfigError("--all", message="--all stands alone: it is everything, in Markdown")
    if json:
        if found is None:
            about = describing.menu_json()
        elif isinstance(found, str):
            about = describing.family_json(found)
        else:
            about = describing.details_json(found)
        show_json(about)
        return
    if everything:
        lines = describing.reference()
    elif found is None:
        lines = describing.menu()
    elif isinstance(found, str):
        lines = describing.family_lines(found)
    else:
        lines = describing.details(found)
    show_text(*"\n".join(lines).rstrip().split("\n"))
    if drawn is not None:
        from dnnlab.report.schedule import of_default

        show_text("", *of_default(drawn))
    if found is None and not everything:
        say("next: dnnlab describe optimizer nadam")


def _schedule_of(found: type[Spec] | str | None) -> str:
    """Returns the name of the schedule that was found. Raises ConfigError if it is none."""
    from dnnlab.choices.schedules import Schedule
    from dnnlab.errors import ConfigError
    from dnnlab.spec import choice_name

    if isinstance(found, type) and issubclass(found, Schedule):
        return str(choice_name(found))
    raise ConfigError(
        "--plot",
        message="--plot draws a schedule: name one",
        remedy="dnnlab describe schedule one_cycle --plot",
    )


def schema(out: SchemaOut = None, json: Json = False) -> None:
    """Print the JSON Schema (draft-07) by which editors complete and check a config.

    \b
    dnnlab schema --out dnnlab.schema.json
    """
    from dnnlab.config.schema import json_schema
    from dnnlab.disk import explained, replace

    text = json_text.dumps(json_schema(), indent=1)
    if out is None:
        show_text(*text.split("\n"))
        return
    check_place(out, "--out")
    with explained(out):
        replace(out, f"{text}\n".encode())
    if json:
        show_json({"schema": 1, "file": str(out)})
        return
    show_text(f"{out}: begin a config with '# yaml-language-server: $schema={out.name}'")


def doctor(runs: Runs = RUNS, json: Json = False) -> None:
    """Examine this machine: versions, devices, the runs folder, the data at hand.

    \b
    dnnlab doctor
    """
    from dnnlab.methods.doctor import examine
    from dnnlab.report.tables import show_checks

    checks = examine(runs)
    healthy = all(each.verdict != "problem" for each in checks)
    if json:
        listed = [each.__dict__ for each in checks]
        show_json({"schema": 1, "ok": healthy, "checks": listed})
    else:
        show_checks(checks, console())
        say("next: dnnlab train configs/digits.yaml")
    if not healthy:
        raise typer.Exit(6)
