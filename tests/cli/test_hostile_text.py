"""Text of others, in data and folders, steers no terminal; JSON and tables keep it exactly."""

from __future__ import annotations

import csv
import io
import json
import sys
import unicodedata
from pathlib import Path

import pytest

from dnnlab.runs.records import read_json
from tests.cli.conftest import Cli, Said

HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\nerror: forged\u202egpj.\u2066\u2028."
CLASSES = (f"cat{HOSTILE}", "[bold]dog[/] :smile:")
CONFIG = """
data: {{name: csv, path: {table}, target: {target}, task: classification}}
architecture: {{name: mlp, hidden: [4]}}
metrics: [confusion]
training: {{epochs: 1, threads: 1}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    with (tmp_path / f"t{HOSTILE}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([f"size{HOSTILE}", f"class{HOSTILE}"])
        writer.writerows([row % 7, CLASSES[row % 2]] for row in range(80))
    names = {"table": f"t{HOSTILE}.csv", "target": f"class{HOSTILE}"}
    path = tmp_path / f"c{HOSTILE}.yaml"
    text = CONFIG.format_map({key: json.dumps(name) for key, name in names.items()})
    path.write_text(text, encoding="utf-8")
    return path


def steering(text: str) -> set[str]:
    """Returns the characters of a text that a terminal might obey."""
    return {
        character
        for character in text
        if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"} and character != "\n"
    }


def assert_harmless(said: Said) -> None:
    assert not steering(said.out + said.err)
    lines = [line.strip() for line in (said.out + said.err).splitlines()]
    assert not any(line.startswith(("error: forged", "forged")) for line in lines)


def test_a_training_on_hostile_data(cli: Cli, config: Path) -> None:
    said = cli("train", config.name, "--runs", f"runs{HOSTILE}", "--name", "mine")
    assert said.code == 0, said.err
    assert_harmless(said)
    assert "cat\\x1b[2J\\x1b]0;owned\\x07" in said.out
    assert "[bold]dog[/] :smile:" in said.out
    found = {}
    for words in (["evaluate"], ["predict", "--out", "p.csv"], ["runs"], ["summary", config.name]):
        where = [] if words[0] == "summary" else ["--runs", f"runs{HOSTILE}"]
        said = cli(*words, *where)
        assert said.code == 0, said.err
        assert_harmless(said)
        found[words[0]] = json.loads(cli(*words, *where, "--json").out)
    assert found["evaluate"]["run"] == f"runs{HOSTILE}/mine"
    assert found["runs"]["runs"][0]["path"] == f"runs{HOSTILE}/mine"
    table = Path("p.csv").read_bytes()
    assert next(csv.reader(io.StringIO(table.decode(), newline="")))[3] == f"p({CLASSES[1]})"
    assert set(read_json(Path(f"runs{HOSTILE}/mine/data.json"))["class_names"]) == set(CLASSES)


def test_a_table_goes_exactly_to_a_pipe_and_harmlessly_to_a_terminal(
    cli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("train", config.name, "--name", "mine").code == 0
    exact = cli("predict", "--out", "-").out
    assert CLASSES[0] in {row[1] for row in csv.reader(io.StringIO(exact, newline=""))}
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda stream: True)
    shown = cli("predict", "--out", "-").out
    assert not steering(shown)
    assert "cat\\x1b[2J" in shown


@pytest.mark.parametrize(
    "words",
    [
        ["--set", f"data.target={json.dumps('x' + HOSTILE)}"],
        ["--set", f"data.path={json.dumps(HOSTILE)}"],
        ["--set", f"optimizer.lr={json.dumps(HOSTILE)}"],
        ["--set", f"optimizer={json.dumps({HOSTILE: 1})}"],
        ["--set", f"activation={json.dumps(HOSTILE)}"],
        ["--set", f"training.monitor={json.dumps(HOSTILE)}"],
        ["--set", f"data.classes={json.dumps([HOSTILE])}"],
        ["--set", f"optimizer.{HOSTILE}=3"],
        ["--set", f"a: {HOSTILE}"],
        ["--set", f"a=[{HOSTILE}"],
        ["--set", f"a=*{HOSTILE}"],
        ["--set", f"a=!{HOSTILE} x"],
        ["--name", HOSTILE],
        ["--device", HOSTILE],
        ["--runs", f"c{HOSTILE}.yaml"],
    ],
    ids=lambda words: str(words[1]).partition("=")[0].partition("\x1b")[0],
)
def test_refusals_of_hostile_words(words: list[str], cli: Cli, config: Path) -> None:
    said = cli("train", config.name, *words)
    assert said.code in (2, 3, 4, 6), said.err
    assert_harmless(said)
    assert len(said.err.splitlines()) <= 5
    assert sorted(path.suffix for path in Path().iterdir()) == [".csv", ".yaml"]


@pytest.mark.parametrize("command", ["evaluate", "predict", "resume"])
def test_hostile_words_for_a_run(command: str, cli: Cli) -> None:
    for word in ("../x", "/etc", "CON", "x" * 300, f"a{HOSTILE}", "a\0b", ""):
        said = cli(command, word)
        assert said.code == 4
        assert_harmless(said)
        assert len(said.err.splitlines()) == 2  # the reason and the remedy
        assert not list(Path().iterdir())


@pytest.mark.parametrize("name", ["../x", "/etc", "CON", "x" * 300, f"a{HOSTILE}", "a\0b", ""])
def test_hostile_names(name: str, cli: Cli, config: Path) -> None:
    said = cli("train", config.name, "--name", name)
    assert said.code == 2
    assert_harmless(said)
    assert len(said.err.splitlines()) == 1
    assert not Path("runs").exists()


def test_runs_that_somebody_else_made(cli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "runs" / f"a{HOSTILE}"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"created": HOSTILE}))
    for state in (HOSTILE, "finished"):
        status = {"state": state, "step": 3, "host": HOSTILE}
        (run / "status.json").write_text(json.dumps(status))
        for value in (HOSTILE, 1e400, 10**400, True, [1], {HOSTILE: 1}, None):
            result = {
                "metrics": {"test": {HOSTILE: value}},
                "best": {"metric": HOSTILE, "value": value, "step": value},
                "seconds": {"total": value},
            }
            (run / "result.json").write_text(json.dumps(result))
            said = cli("runs")
            assert said.code == 0
            assert_harmless(said)
            assert len(said.out.splitlines()) == 2
    (run / "result.json").write_text('{"metrics": {"test": 3}, "best": 3, "seconds": {"total": 3}}')
    assert cli("runs").out.splitlines()[1].split()[-4:] == ["-", "-", "3.0", "s"]
    (entry,) = json.loads(cli("runs", "--json").out)["runs"]
    assert entry["run"] == f"a{HOSTILE}"
    for command in ("evaluate", "predict", "resume"):
        said = cli(command)
        assert said.code == 4
        assert_harmless(said)


def test_hostile_lines_of_a_config(cli: Cli, tmp_path: Path) -> None:
    escaped = json.dumps(HOSTILE)
    for number, text in enumerate(
        (
            f"{escaped}: 1\n{escaped}: 2\n",
            f"data: digits\narchitecture: mlp\n{escaped}: 1\nactivation: {escaped}\n",
            f"data: {{name: digits, {escaped}: [{escaped}]}}\narchitecture: {escaped}\n",
            f"extends: {escaped}\n",
            "data: digits\u202e\narchitecture: \u2066mlp\n",
            "data: \x1b[2J\n",
        )
    ):
        path = tmp_path / f"{number}{HOSTILE}.yaml"
        path.write_text(text, encoding="utf-8")
        said = cli("check", path.name)
        assert (said.code, said.out) == (2, "")
        assert_harmless(said)
        assert_harmless(cli("check", f"{number}{HOSTILE}.ymal"))
