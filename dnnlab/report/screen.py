"""The two streams of a command: results go to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dnnlab.errors import ConfigError, DnnlabError, Problem

PLAIN_WIDTH = 1000
"""Columns where the stream is no terminal: whoever reads a pipe wants lines whole."""


def console(*, stderr: bool = False) -> Console:
    """Returns a console that writes plain lines where the stream is not a terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=not stream.isatty(), width=width)


def table(*columns: str, title: str = "") -> Table:
    """Returns an empty table without frames: the first column to the left, the others right."""
    result = Table(box=None, title=title or None, title_justify="left", pad_edge=False)
    for index, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if index else "left"
        result.add_column(column, justify=justify, header_style="bold", no_wrap=True)
    return result


def show_error(error: DnnlabError) -> None:
    """Prints what went wrong, where, and what to do: one screen, no traceback."""
    out = console(stderr=True)
    out.print(f"[bold red]error:[/] {escape(error.message)}")
    if isinstance(error, ConfigError):
        show_problems(error.problems, out)
        if error.problems:
            out.print("nothing was written.", end=" " if error.remedy else "\n")
    if error.remedy:
        prefix = "see" if error.remedy.startswith("dnnlab") else "remedy"
        out.print(f"{prefix}: {escape(error.remedy)}")


def show_warnings(warnings: list[Problem], out: Console) -> None:
    """Prints what the lint found."""
    for problem in warnings:
        place = f"{problem.place} " if problem.place else ""
        out.print(f"[yellow]warning:[/] {escape(place + problem.message)}")


def show_problems(problems: tuple[Problem, ...], out: Console, *, most: int = 20) -> None:
    """Prints problems one a line, the places in a column of their own."""
    width = max((len(problem.place) for problem in problems), default=0)
    for problem in problems[:most]:
        out.print(f"  [bold]{escape(problem.place.ljust(width))}[/]  {escape(problem.message)}")
    if len(problems) > most:
        out.print(f"  ... and {len(problems) - most} more")
