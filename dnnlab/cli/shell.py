"""The outermost shell: the one place where errors, signals and lost readers become exit codes."""

from __future__ import annotations

import sys

from dnnlab.cli.signals import Stopped, ignore_interrupt, stop_at_interrupt
from dnnlab.cli.streams import lost_output, outlive_readers
from dnnlab.errors import DnnlabError, MachineError
from dnnlab.report.screen import say, show_error


def shell() -> int:
    """Does what the words of the command line say and returns the exit code."""
    try:
        stop_at_interrupt()
        outlive_readers()
        code = _command()
        if (lost := lost_output()) is not None and code == 0:
            code = _refuse(MachineError(f"stdout could not be written: {lost.strerror}"))
        ignore_interrupt()
    except Stopped as stopped:
        after_the_mark = [""] if sys.stderr.isatty() else []  # that a terminal makes: ^C
        say(*after_the_mark, str(stopped))
        code = 130
    return code


def _command() -> int:
    try:
        from dnnlab.cli.commands import app

        app(prog_name="dnnlab")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except DnnlabError as error:
        return _refuse(error)
    except Exception:
        return _our_bug()
    return 0


def _refuse(error: DnnlabError) -> int:
    show_error(error)
    return error.exit_code


def _our_bug() -> int:
    """Keeps the traceback in a file: the user gets one screen, we get what we need."""
    import tempfile
    import traceback

    text = traceback.format_exc()
    say(f"error: a bug in dnnlab: {text.strip().splitlines()[-1]}")
    try:
        with tempfile.NamedTemporaryFile(prefix="dnnlab-bug-", suffix=".txt", delete=False) as file:
            file.write(f"{sys.argv}\n{text}".encode(errors="backslashreplace"))
    except OSError as error:
        say(f"please report it; the traceback could not be kept: {error.strerror}")
    else:
        say(f"please report it with {file.name}")
    return 1
