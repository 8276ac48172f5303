from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dnnlab.cli import looking
from dnnlab.errors import DataError
from dnnlab.runs.records import read_json
from tests.cli.conftest import Cli
from tests.support import DIGITS

SHORT = DIGITS.replace("updates: 12", "updates: 3")


def test_an_error_is_rendered_and_its_code_returned(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DataError("the data are gone", remedy="restore them")

    monkeypatch.setattr(looking, "_find", refuse)
    said = cli("evaluate")
    assert (said.code, said.out) == (3, "")
    assert said.err == "error: the data are gone\nremedy: restore them\n"


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def oops(*_: object) -> None:
        raise ZeroDivisionError("oops\x1b[2J")

    monkeypatch.setattr(looking, "_find", oops)


@pytest.mark.usefixtures("broken")
def test_a_bug_of_ours_keeps_its_traceback_in_a_file(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    said = cli("evaluate", "some-run\udcff")
    assert said.code == 1
    first, second = said.err.splitlines()
    assert first == "error: a bug in dnnlab: ZeroDivisionError: oops\\x1b[2J"
    kept = Path(second.rpartition(" ")[2]).read_text()
    assert "Traceback" in kept
    assert "some-run" in kept


@pytest.mark.usefixtures("broken")
def test_a_bug_of_ours_where_no_file_can_be_written(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    said = cli("evaluate")
    assert said.code == 1
    assert said.err.splitlines()[1:] == [
        "please report it; the traceback could not be kept: No space left on device"
    ]


def test_ctrl_c_ends_a_command_with_a_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(looking, "_find", interrupted)
    said = cli("evaluate")
    assert (said.code, said.out, said.err) == (130, "", "stopped\n")
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda stream: True)
    assert cli("evaluate").err == "\nstopped\n"


def test_results_that_could_not_be_written_are_an_error(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dnnlab.cli.shell.lost_output", lambda: OSError(28, "No space left"))
    said = cli("describe", "loss")
    assert said.code == 6
    assert said.err == "error: stdout could not be written: No space left\n"
    assert cli("describe", "none-such").code == 2  # an error of its own comes first


def test_ctrl_c_before_a_training_begins(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    Path("a.yaml").write_text(SHORT)
    monkeypatch.setattr("dnnlab.methods.session.prepare_for", interrupted)
    said = cli("train", "a.yaml")
    assert (said.code, said.out, said.err) == (130, "", "stopped; nothing was written\n")
    assert not Path("runs").exists()


def piped(command: str, folder: Path, **environment: str) -> tuple[str, str]:
    """Runs `dnnlab` in a shell. Returns what came through and the exit code it left in a file."""
    done = subprocess.run(
        ["sh", "-c", command.replace("dnnlab", f"{sys.executable} -m dnnlab")],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env={**os.environ, **environment},
        check=True,
    )
    return done.stdout, (folder / "code").read_text().strip()


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    said, code = piped("{ dnnlab describe --all; echo $? >code; } | head -n 1", tmp_path)
    assert (said, code) == ("# Reference: everything a config can say\n", "0")


def test_a_training_outlives_its_readers(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SHORT)
    said, code = piped("{ dnnlab train a.yaml 2>&1; echo $? >code; } | head -n 1", tmp_path)
    assert (said, code) == ("digits: 1,294 train, 144 validation, 359 test\n", "0")
    assert read_json(tmp_path / "runs" / "a-digits-0001" / "result.json")["updates"] == 3


ALL = """
import json, os, sys
from dnnlab.cli.main import main
codes = {}
for line in open("commands", encoding="utf-8"):
    sys.argv = ["dnnlab", *line.split()]
    try:
        main()
    except SystemExit as ended:
        codes[line.strip()] = ended.code
with open("code", "w", encoding="utf-8") as file:
    json.dump(codes, file)
"""
TABLE = "größe,farbe,art\n" + "".join(
    f"{row % 7},{'röt' if row % 2 else '黒'},{'Häuser' if row % 3 else '猫'}\n" for row in range(60)
)
ODD = """
data: {name: csv, path: kätzchen.csv, target: art, task: classification}
architecture: {name: mlp, hidden: [4]}
metrics: [accuracy, confusion]
training: {epochs: 1, threads: 1}
"""
COMMANDS = """train ödd.yaml --runs läufe --name x
train ödd.yaml --dry-run
runs --runs läufe
evaluate --runs läufe
predict --runs läufe --out vörhersagen.csv
predict --runs läufe --out -
summary ödd.yaml
check ödd.yaml --plot
check fehlt.yaml
describe optimizer
describe schedule one_cycle --plot
init neü.yaml
schema
doctor
resume --runs läufe
"""


def test_plain_lines_where_nobody_can_read_more(tmp_path: Path) -> None:
    """An alphabet of ASCII, a terminal of 20 columns that is said to have colours, and is none."""
    for name, text in {"kätzchen.csv": TABLE, "ödd.yaml": ODD, "commands": COMMANDS}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ALL],
        cwd=tmp_path,
        capture_output=True,
        env={
            **os.environ,
            "PYTHONIOENCODING": "ascii",
            "COLUMNS": "20",
            "FORCE_COLOR": "1",
            "TERM": "xterm",
        },
        check=True,
    )
    codes = json.loads((tmp_path / "code").read_text())
    expected = dict.fromkeys(COMMANDS.splitlines(), 0)
    expected |= {"check fehlt.yaml": 2, "resume --runs läufe": 4}
    assert codes == expected, done.stderr
    table, said = (tmp_path / "vörhersagen.csv").read_bytes(), done.stdout + done.stderr
    assert table in done.stdout
    assert said.replace(table, b"").isascii()
    assert b"\x1b" not in said
    lines = said.decode("utf-8").splitlines()
    assert "confusion (test): true  H?user  ?" in lines
    assert any("accuracy" in line and "validation: loss" in line for line in lines)
