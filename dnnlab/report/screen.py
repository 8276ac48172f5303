"""The two streams of a command: results go to stdout, everything else to stderr.

Refusals are written without rich, whose import takes a fifth of the time in which they appear.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO

from dnnlab.errors import ConfigError, DnnlabError, Problem
from dnnlab.report.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PLAIN_WIDTH = 1000
"""Columns where lines are to stay whole."""
MOST_PROBLEMS = 20
"""Of a file, before the rest are counted only: one screen."""
MOST_CHARACTERS = 2000
"""Of a message that holds a piece of the user's text."""

RED, YELLOW, BOLD = "1;31", "33", "1"


def console(*, stderr: bool = False) -> Console:
    """Returns a console that writes plain lines where the stream is not a terminal.

    Results are lines of any length, and a terminal folds them: a table that is cut to fit keeps
    figures back. Progress is as wide as the terminal.
    """
    from rich.console import Console

    watched = (sys.stderr if stderr else sys.stdout).isatty()
    fits = stderr and watched
    return Console(
        stderr=stderr,
        force_terminal=watched,  # FORCE_COLOR does not make a file one
        width=None if fits else PLAIN_WIDTH,
        height=None if fits else 1,  # a width alone does not count on a terminal that is dumb
        soft_wrap=not fits,
        highlight=False,
        emoji=False,
    )


def cell(value: object) -> str:
    """Returns others' text for a table or a line of a console: one line, its brackets brackets."""
    from rich.markup import escape

    return escape(_line(str(value)))


def table(*columns: str) -> Table:
    """Returns an empty table without frames: the first column to the left, the others right."""
    from rich.table import Table

    result = Table(box=None, pad_edge=False)
    for index, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if index else "left"
        result.add_column(column, justify=justify, header_style="bold", no_wrap=True)
    return result


def say(*lines: str) -> None:
    """Prints lines to stderr; each stays one, whatever names are in it."""
    print(*map(printable, lines), sep="\n", file=sys.stderr)


def note(text: str) -> None:
    """Prints to stderr something worth knowing."""
    print(f"{_painted('note:', YELLOW, sys.stderr)} {_line(text)}", file=sys.stderr)


def show_text(*lines: str) -> None:
    """Prints lines to stdout; each stays one, whatever names are in it."""
    print(*map(printable, lines), sep="\n")


def show_json(value: dict[str, Any]) -> None:
    """Prints an object to stdout, exactly, whatever the terminal's alphabet: JSON can say all in
    ASCII. Numbers that are not finite become null.
    """
    from dnnlab.runs.records import to_json

    print(json.dumps(json.loads(to_json(value))))


def show_csv(text: str) -> None:
    """Prints a table to stdout: exactly, in UTF-8, unless it is a terminal."""
    if sys.stdout.isatty():
        show_text(*text.removesuffix("\n").split("\n"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode(errors="surrogateescape"))


def show_error(error: DnnlabError) -> None:
    """Prints to stderr what went wrong, where, and what to do: one screen, no traceback."""
    lines = [f"{_painted('error:', RED, sys.stderr)} {_line(error.message)}"]
    remedy = ""
    if error.remedy:
        prefix = "see" if error.remedy.startswith("dnnlab") else "remedy"
        remedy = f"{prefix}: {error.remedy}"
    if isinstance(error, ConfigError) and error.problems:
        lines += _lines_of(error.problems)
        remedy = f"nothing was written. {remedy}".rstrip()
    if remedy:
        lines.append(_line(remedy))
    print("\n".join(lines), file=sys.stderr)


def show_warnings(warnings: list[Problem], stream: TextIO) -> None:
    """Prints what the lint found."""
    for problem in warnings:
        text = _line(f"{problem.place} {problem.message}".lstrip())
        print(f"{_painted('warning:', YELLOW, stream)} {text}", file=stream)


def _lines_of(problems: tuple[Problem, ...]) -> list[str]:
    """Returns problems one a line, the places in a column of their own."""
    shown = problems[:MOST_PROBLEMS]
    places = [_line(problem.place) for problem in shown]
    width = max(map(len, places))
    lines = [
        f"  {_painted(place.ljust(width), BOLD, sys.stderr)}  {_line(problem.message)}"
        for place, problem in zip(places, shown, strict=True)
    ]
    if len(problems) > len(shown):
        lines.append(f"  ... and {len(problems) - len(shown)} more")
    return lines


def _line(text: str) -> str:
    """Returns others' text as one line that a terminal may get, and a screen can hold."""
    line = printable(text[: MOST_CHARACTERS + 1])
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 3]}..."


def _painted(text: str, style: str, stream: TextIO) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain or not stream.isatty():
        return text
    return f"\x1b[{style}m{text}\x1b[0m"
