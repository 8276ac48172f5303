from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dnnlab
from dnnlab.cli.commands import COMMANDS
from tests.cli.conftest import Cli

WORDS = [word for word, _, _ in COMMANDS]


def test_help_lists_every_command(cli: Cli) -> None:
    said = cli("--help")
    assert said.code == 0
    for word, _, short in COMMANDS:
        assert f"  {word} " in said.out
        assert short in said.out


def test_without_words_it_is_the_help(cli: Cli) -> None:
    assert "Commands:" in (cli().out + cli().err)


@pytest.mark.parametrize("word", WORDS)
def test_the_help_of_a_command_begins_with_an_example(word: str, cli: Cli) -> None:
    said = cli(word, "--help")
    assert said.code == 0
    before_options = said.out.partition("Arguments:")[0].partition("Options:")[0]
    assert f"\n  dnnlab {word}" in before_options
    assert "--json" in said.out


def test_version(cli: Cli) -> None:
    assert cli("--version").out == f"dnnlab {dnnlab.__version__}\n"


@pytest.mark.parametrize(
    "words", [("trian",), ("train",), ("train", "a.yaml", "--speed"), ("check", "a", "b")]
)
def test_a_wrong_use_exits_2(words: tuple[str, ...], cli: Cli) -> None:
    said = cli(*words)
    assert said.code == 2
    assert said.out == ""
    assert "Error: " in said.err


def seconds_and_modules(folder: Path, *words: str) -> tuple[float, str, int]:
    """Runs a command as a process of its own, the best of three: seconds, imports, exit code."""
    program = (
        "import sys, atexit; sys.argv[0] = 'dnnlab';"
        "atexit.register(lambda: print('\\nLOADED', *sys.modules));"
        "from dnnlab.cli.main import main; main()"
    )
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
        )
        best = min(best, time.perf_counter() - started)
    return best, done.stdout.rpartition("LOADED")[2], done.returncode


FIVE_MISTAKES = """data: {name: fashion_mnsit}
architecture:
  name: mlp
  hidden: [300, 100]
optimzer: {name: sgd}
optimizer:
  name: sgd
  lr: -0.1
  momentum: "0.9"
training: {epochs: 5, seed: true}
"""


@pytest.mark.parametrize(
    ("words", "code", "limit"),
    [
        (["--help"], 0, 0.4),
        (["train", "--help"], 0, 0.4),
        (["check", "good.yaml"], 0, 0.5),
        (["check", "bad.yaml"], 2, 0.5),
        (["train", "bad.yaml"], 2, 0.5),
        (["describe", "optimizer", "sgd"], 0, 0.5),
        (["init", "new.yaml", "--kind", "nothing"], 2, 0.5),
        (["runs"], 0, 0.5),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_needs_no_torch_does_not_import_it(
    words: list[str], code: int, limit: float, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text(FIVE_MISTAKES)
    (tmp_path / "good.yaml").write_text(
        "data: digits\narchitecture: {name: mlp, hidden: [4]}\nactivation: selu\n"
    )
    seconds, modules, returned = seconds_and_modules(tmp_path, *words)
    assert returned == code
    assert modules
    loaded = set(modules.split())
    assert not loaded & {"torch", "numpy", "sklearn", "matplotlib", "torchvision"}
    # The promise is `limit` on a machine that does nothing else; tests run on busy ones.
    assert seconds < 3 * limit


def test_five_mistakes_are_five_lines(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(FIVE_MISTAKES)
    for command in ("check", "train"):
        said = cli(command, "bad.yaml")
        assert said.code == 2
        lines = said.err.splitlines()
        assert lines[0] == "error: 5 problems in bad.yaml"
        assert [line.split()[0] for line in lines[1:6]] == ["1:14", "5:1", "8:7", "9:13", "10:29"]
        assert "did you mean 'fashion_mnist'?" in lines[1]
        assert "did you mean 'optimizer'?" in lines[2]
        assert "-0.1 is not greater than 0" in lines[3]
        assert "take off the quotes: 0.9" in lines[4]
        assert "true is not a whole number" in lines[5]
        assert lines[6] == "nothing was written. see: dnnlab describe data"
        assert len(lines) == 7
    assert not (tmp_path / "runs").exists()
