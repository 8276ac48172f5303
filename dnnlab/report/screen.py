"""The two streams of a command: results go to stdout, everything else to stderr.

Refusals are written without rich, whose import takes a fifth of the time in which they appear.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal, TextIO

from dnnlab.errors import ConfigError, DnnlabError, Problem

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PLAIN_WIDTH = 1000
"""Columns where the stream is no terminal: whoever reads a pipe wants lines whole."""
MOST_PROBLEMS = 20
"""Of a file, before the rest are counted only: one screen."""

RED, YELLOW, BOLD = "1;31", "33", "1"


def console(*, stderr: bool = False) -> Console:
    """Returns a console that writes plain lines where the stream is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PLAIN_WIDTH
    return Console(stderr=stderr, highlight=False, soft_wrap=not stream.isatty(), width=width)


def table(*columns: str) -> Table:
    """Returns an empty table without frames: the first column to the left, the others right."""
    from rich.table import Table

    result = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if index else "left"
        result.add_column(column, justify=justify, header_style="bold", no_wrap=True)
    return result


def say(text: str) -> None:
    """Prints a line to stderr, just as it is."""
    print(text, file=sys.stderr)


def note(text: str) -> None:
    """Prints to stderr something worth knowing."""
    say(f"{_painted('note:', YELLOW, sys.stderr)} {text}")


def show_error(error: DnnlabError) -> None:
    """Prints to stderr what went wrong, where, and what to do: one screen, no traceback."""
    lines = [f"{_painted('error:', RED, sys.stderr)} {error.message}"]
    remedy = ""
    if error.remedy:
        prefix = "see" if error.remedy.startswith("dnnlab") else "remedy"
        remedy = f"{prefix}: {error.remedy}"
    if isinstance(error, ConfigError) and error.problems:
        lines += _lines_of(error.problems)
        remedy = f"nothing was written. {remedy}".rstrip()
    if remedy:
        lines.append(remedy)
    say("\n".join(lines))


def show_warnings(warnings: list[Problem], stream: TextIO) -> None:
    """Prints what the lint found."""
    for problem in warnings:
        place = f"{problem.place} " if problem.place else ""
        print(f"{_painted('warning:', YELLOW, stream)} {place}{problem.message}", file=stream)


def _lines_of(problems: tuple[Problem, ...]) -> list[str]:
    """Returns problems one a line, the places in a column of their own."""
    width = max(len(problem.place) for problem in problems)
    shown = problems[:MOST_PROBLEMS]
    places = [_painted(each.place.ljust(width), BOLD, sys.stderr) for each in shown]
    lines = [f"  {place}  {each.message}" for place, each in zip(places, shown, strict=True)]
    if len(problems) > len(shown):
        lines.append(f"  ... and {len(problems) - len(shown)} more")
    return lines


def _painted(text: str, style: str, stream: TextIO) -> str:
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{style}m{text}\x1b[0m"
