from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dnnlab.cli.commands import COMMANDS
from dnnlab.config.read import read
from tests.cli.conftest import Cli
from tests.cli.test_commands import seconds_and_modules

NET = """# a small net
data: digits
architecture: {name: mlp, hidden: [24]}
optimizer: {name: sgd, lr: 0.05, momentum: 0.9}   # by hand
training: {epochs: {updates: 12}, batch_size: 16, threads: 1}
"""
FAST = ("--updates", "150", "--orders", "2")
JSON_PAGE = Path(__file__).parents[2] / "docs" / "json.md"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(NET)
    return path


def test_it_prints_the_curve_and_the_picks(cli: Cli, config: Path) -> None:
    said = cli("lr-find", "mine.yaml", *FAST)
    assert said.code == 0
    assert said.out.startswith("sgd, lr 1e-05 to 10 in 150 updates; 2 orders\n")
    for words in ("o smoothed loss", "falls fastest at", "turns up at", "usable", "log10 of lr"):
        assert words in said.out
    constant = re.search(r"constant rate +([\d.e-]+) +a tenth of the turning point", said.out)
    assert constant is not None
    assert f"next: dnnlab train mine.yaml --set optimizer.lr={constant[1]}\n" in said.err
    assert re.search(r"the config has +0\.05", said.out)


def test_json_has_the_keys_of_the_page_and_no_others(cli: Cli, config: Path) -> None:
    said = cli("lr-find", "mine.yaml", *FAST, "--json", "--verify", "--plot", "x.png")
    result = json.loads(said.out)
    (row,) = [line for line in JSON_PAGE.read_text().splitlines() if line.startswith("| `lr-find`")]
    documented = set(re.findall(r"`(\w+)`", row)) - {"null"}
    assert result.keys() - {"schema"} <= documented
    for inner in (result["suggestion"], result["points"], result["verified"], result["files"]):
        assert inner.keys() <= documented
    assert result["verified"]["trainings"][0].keys() == {"lr", "loss", "error"}
    assert len(result["orders"]) == 2
    assert len(result["points"]["lr"]) == 150
    assert len(result["points"]["smoothed"]) == max(order["updates"] for order in result["orders"])
    low, high = result["interval"]
    assert low <= result["suggestion"]["constant"] < result["suggestion"]["one_cycle"] < high
    assert result["reason"] is None
    assert result["config"] == "mine.yaml"
    assert result["run"] is None


def test_without_a_suggestion_json_has_the_reason(cli: Cli, config: Path) -> None:
    said = cli("lr-find", "mine.yaml", *FAST, "--end", "1e-2", "--json")
    result = json.loads(said.out)
    assert said.code == 0
    assert result["suggestion"] is None
    assert result["reason"] == "still_falling"
    assert result["remedy"] == "--end 0.1"
    assert result["interval"] is None
    assert result["verified"] is None


def test_without_a_suggestion_it_says_why_and_what_to_try(cli: Cli, config: Path) -> None:
    said = cli("lr-find", "mine.yaml", *FAST, "--end", "1e-2", "--verify")
    assert "no suggestion: the loss has not turned up by the last rate, 0.01\n" in said.out
    assert "try: --end 0.1\n" in said.out
    assert "next: dnnlab lr-find mine.yaml --end 0.1\n" in said.err
    assert "updates at a constant rate" not in said.out


def test_the_next_command_has_the_settings_of_this_one(cli: Cli, config: Path) -> None:
    words = ("--set", "optimizer={name: adam}", "--seed", "7")
    said = cli("lr-find", "mine.yaml", *FAST, *words)
    assert "--set 'optimizer={name: adam}' --set training.seed=7 --set optimizer.lr=" in said.err


def test_again_it_says_the_same(cli: Cli, config: Path) -> None:
    assert cli("lr-find", "mine.yaml", *FAST) == cli("lr-find", "mine.yaml", *FAST)


def test_a_seed_is_another_training(cli: Cli, config: Path) -> None:
    one, other = (
        json.loads(cli("lr-find", "mine.yaml", *FAST, "--json", "--seed", seed).out)["orders"]
        for seed in ("1", "7")
    )
    assert [order["seed"] for order in other] == [7, 8]
    assert one[0]["losses"][0] != other[0]["losses"][0]


def test_without_a_name_it_is_the_last_run_and_says_so(cli: Cli, config: Path) -> None:
    assert (
        cli("train", "mine.yaml", "--quiet", "--name", "first", "--set", "optimizer.lr=1e-4").code
        == 0
    )
    said = cli("lr-find", *FAST)
    assert said.code == 0
    assert "@last is runs/first\n" in said.err
    assert "12 updates behind it" in said.out
    assert "next: dnnlab resume first --set optimizer.lr=" in said.err
    about = json.loads(cli("lr-find", "first", *FAST, "--json", "--seed", "3").out)
    assert (about["run"], about["config"]) == ("runs/first", "runs/first/config.yaml")
    assert about["step"] == 12
    assert [order["seed"] for order in about["orders"]] == [3, 4]


def test_files(cli: Cli, config: Path, tmp_path: Path) -> None:
    said = cli(
        *("lr-find", "mine.yaml", *FAST, "--plot", "a.png", "--csv", "a.csv", "--apply", "b.yaml")
    )
    assert said.code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("order", "seed", "update", "lr", "loss", "smoothed", "slope_per_decade")
    ]
    assert {row["order"] for row in rows} == {"0", "1", "mean"}
    assert all(float(row["loss"]) > 0 for row in rows)
    lr = read(tmp_path / "b.yaml").experiment.optimizer.lr
    assert f"constant rate     {lr:g} " in said.out
    patched = (tmp_path / "b.yaml").read_text()
    assert patched == NET.replace("0.05", f"{lr:g}")
    assert "next: dnnlab train b.yaml\n" in said.err
    assert cli("train", "b.yaml", "--dry-run").code == 0


def test_one_cycle_is_given_its_highest_rate(cli: Cli, config: Path, tmp_path: Path) -> None:
    config.write_text(NET + "schedule: one_cycle\n")
    said = cli("lr-find", "mine.yaml", *FAST, "--apply", "b.yaml", "--json")
    suggestion = json.loads(said.out)["suggestion"]
    assert read(tmp_path / "b.yaml").experiment.optimizer.lr == suggestion["one_cycle"]


def test_apply_takes_the_config_of_a_run(cli: Cli, config: Path, tmp_path: Path) -> None:
    cli("train", "mine.yaml", "--quiet", "--name", "first", "--set", "optimizer.lr=1e-4")
    said = cli("lr-find", "first", *FAST, "--apply", "b.yaml")
    assert said.code == 0, said.err
    assert read(tmp_path / "b.yaml").experiment.training.threads == 1


def test_nothing_is_applied_where_nothing_is_suggested(
    cli: Cli, config: Path, tmp_path: Path
) -> None:
    said = cli("lr-find", "mine.yaml", *FAST, "--end", "1e-2", "--apply", "b.yaml")
    assert said.code == 1
    assert "b.yaml was not written: there is no suggestion\n" in said.err
    assert not (tmp_path / "b.yaml").exists()


def test_verifying_says_how_three_trainings_end(cli: Cli, config: Path) -> None:
    said = cli("lr-find", "mine.yaml", *FAST, "--verify")
    assert "150 updates at a constant rate, mean loss of the last fifth:\n" in said.out
    assert said.out.count("±") + said.out.count("diverged") == 3
    assert "the pick is " in said.out


def test_quiet_is_the_result_alone(cli: Cli, config: Path) -> None:
    said = cli("lr-find", "mine.yaml", *FAST, "--quiet")
    assert said.err == ""
    assert "constant rate" in said.out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("nothing.yaml",), 2, "there is no file nothing.yaml"),
        (("nothing",), 4, "there is no run 'nothing'"),
        ((), 4, "there is no run in runs"),
        (("mine.yaml", "--end", "1e-5"), 2, "--end 1e-05: not at least ten times --start 1e-05"),
        (("mine.yaml", "--start", "-1"), 2, "--start -1: not from 1e-20 to 1e+20"),
        (("mine.yaml", "--end", "nan"), 2, "--end nan: not from 1e-20"),
        (("mine.yaml", "--end", "inf"), 2, "--end inf: not from 1e-20"),
        (("mine.yaml", "--updates", "10"), 2, "greater than or equal to 50"),
        (("mine.yaml", "--orders", "0"), 2, "greater than or equal to 1"),
        (("mine.yaml", "--plot", "x.jpg"), 2, "--plot x.jpg: the ending is not .png"),
        (("mine.yaml", "--csv", "x.txt"), 2, "--csv x.txt: the ending is not .csv"),
        (("mine.yaml", "--apply", "x"), 2, "--apply x: the ending is not .yaml"),
        (("mine.yaml", "--csv", "no/x.csv"), 2, "there is no folder no"),
        (("mine.yaml", "--apply", "mine.yaml"), 2, "exists; it is left as it is"),
        (
            ("mine.yaml", "--set", "optimizer.lr=1", "--apply", "b.yaml"),
            2,
            "does not belong to it",
        ),
        (("mine.yaml", "--set", "optimzer=adam"), 2, "1 problem in mine.yaml"),
        (("mine.yaml", "--device", "cuda:99"), 6, "this machine has"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_screen(
    words: tuple[str, ...], code: int, message: str, cli: Cli, config: Path, tmp_path: Path
) -> None:
    said = cli("lr-find", *words)
    assert said.code == code
    assert said.out == ""
    assert message in said.err
    assert "Traceback" not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_typo_has_its_line(cli: Cli, config: Path) -> None:
    config.write_text(NET.replace("momentum", "momentun"))
    said = cli("lr-find", "mine.yaml")
    assert said.code == 2
    assert "4:34" in said.err
    assert "did you mean 'momentum'?" in said.err


@pytest.mark.parametrize("word", ["bad.yaml", "nothing.yaml", "nothing"])
def test_a_mistake_is_told_before_torch_is_loaded(word: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("data: digits\narchitecure: mlp\n")
    _, modules, code = seconds_and_modules(tmp_path, "lr-find", word)
    assert code in (2, 4)
    assert not set(modules.split()) & {"torch", "numpy", "matplotlib"}


def test_a_copy_elsewhere_is_refused_before_the_work(
    cli: Cli, config: Path, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    config.write_text("extends: base.yaml\n")
    (tmp_path / "base.yaml").write_text(NET)
    said = cli("lr-find", "mine.yaml", "--apply", "there/b.yaml")
    assert said.code == 2
    assert not list((tmp_path / "there").iterdir())


def test_ctrl_c_ends_it_and_nothing_is_written(config: Path, tmp_path: Path) -> None:
    words = ("mine.yaml", "--updates", "100000", "--plot", "x.png", "--csv", "x.csv")
    program = "from dnnlab.cli.main import main; import sys; sys.argv[0] = 'dnnlab'; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "lr-find", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=4)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert err == "stopped; nothing was written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_the_list_of_commands_has_it() -> None:
    assert "lr-find" in [word for word, _, _ in COMMANDS]
