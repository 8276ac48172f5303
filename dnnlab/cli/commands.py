"""The command `dnnlab` and its list of commands."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dnnlab.cli import finding, learning, looking, pretraining, training, transferring, verifying
from dnnlab.report.screen import show_text

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
    ("pretrain", pretraining.pretrain, "Train a net whose layers are to be reused."),
    ("transfer", transferring.transfer, "Train a net that reuses another's layers."),
    ("verify-resume", verifying.verify_resume, "Prove that resuming is exact, for a config."),
    ("lr-find", finding.lr_find, "Find a learning rate: by a range test, without a trace."),
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

        show_text(f"dnnlab {__version__}")
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
