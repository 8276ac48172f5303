from __future__ import annotations

import subprocess
import sys

import pytest

from dnnlab.cli import main as entry
from dnnlab.cli import shell

IMPORTS = """
import sys
before = set(sys.modules)
import dnnlab.cli.main
print(*sorted(set(sys.modules) - before))
"""


def test_it_imports_nothing_before_it_is_at_work() -> None:
    """A Ctrl-C in the middle of an import, outside of `main`, would be a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["dnnlab", "dnnlab.cli", "dnnlab.cli.main"]


def test_ctrl_c_before_the_shell_stands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(shell, "shell", interrupted)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "stopped\n")
