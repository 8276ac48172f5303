"""The command `dnnlab`: the list of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer

from dnnlab.cli import learning, looking, training
from dnnlab.errors import DnnlabError

# pydantic would otherwise search all installed packages for plugins at every start: 50 ms.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

app = typer.Typer(
    name="dnnlab",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help appears in half the time
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)

COMMANDS = (
    ("train", training.train, "Train the net that a config describes."),
    ("resume", training.resume, "Go on with a run that was stopped."),
    ("evaluate", looking.evaluate, "Measure a run's net on a split."),
    ("predict", looking.predict, "Write predictions for a split or a file."),
    ("runs", looking.runs_command, "List the runs of a folder."),
    ("init", learning.init, "Write a commented config to start from."),
    ("check", learning.check, "Check a config: every mistake, with its line."),
    ("summary", looking.summary, "Show the layers of a net and their parameters."),
    ("describe", learning.describe, "Explain what a config can say."),
    ("schema", learning.schema, "Print the JSON Schema for editors."),
    ("doctor", learning.doctor, "Examine this machine."),
)
for word, function, short in COMMANDS:
    app.command(word, short_help=short)(function)


def _version(wanted: bool) -> None:
    if wanted:
        from dnnlab import __version__

        typer.echo(f"dnnlab {__version__}")
        raise typer.Exit


@app.callback()
def dnnlab(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    """Train deep neural networks from a YAML file.

    \b
    dnnlab train configs/digits.yaml
    """


def main() -> None:
    """Runs the command line and exits: 0 done, 1 our bug, 2 usage or config, 3 data, 4 run folder,
    5 diverged, 6 machine, 130 or 143 stopped.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a curve is no reason to fail in ASCII
    try:
        app(prog_name="dnnlab")
    except DnnlabError as error:
        from dnnlab.report.screen import show_error

        show_error(error)
        sys.exit(error.exit_code)
    except Exception:
        sys.exit(_our_bug())


def _our_bug() -> int:
    """Keeps the traceback in a file: the user gets one screen, we get what we need."""
    import tempfile
    import traceback

    text = traceback.format_exc()
    with tempfile.NamedTemporaryFile(
        "w", prefix="dnnlab-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"{sys.argv}\n{text}")
    sys.stderr.write(
        f"error: a bug in dnnlab: {text.strip().splitlines()[-1]}\n"
        f"please report it with {file.name}\n"
    )
    return 1
