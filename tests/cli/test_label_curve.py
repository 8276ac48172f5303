from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

LESSON = """
data: {name: digits, validation: {fraction: 0.2}}
architecture: {name: mlp, hidden: [12, 10]}
pretraining: autoencoder
training: {epochs: {updates: 10}, batch_size: 64, threads: 1}
"""
FEW = """
data: {name: digits, validation: {fraction: 0.2}}
architecture: {name: mlp, hidden: [12, 10]}
training: {epochs: 3, batch_size: 10, threads: 1}
"""


@pytest.fixture(autouse=True)
def configs(tmp_path: Path) -> None:
    (tmp_path / "lesson.yaml").write_text(LESSON)
    (tmp_path / "few.yaml").write_text(FEW)


CURVE = ("pretrain", "lesson.yaml", "--label-curve", "20,40", "--to", "few.yaml", "--seeds", "2")


def test_a_curve_ends_with_a_picture_and_a_sentence_for_each_number(cli: Cli) -> None:
    said = cli(*CURVE)
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert any(line.startswith("20 labelled examples: reuse ") for line in lines)
    assert any(line.startswith("40 labelled examples: reuse ") for line in lines)
    assert lines[-2:] == [
        "picture: runs/lesson-labels-0001/plots/study.png",
        "study: runs/lesson-labels-0001",
    ]
    assert Path("runs/lesson-labels-0001/plots/study.png").read_bytes().startswith(b"\x89PNG")
    result = json.loads(Path("runs/lesson-labels-0001/result.json").read_text())
    assert [arm["x"] for arm in result["arms"]] == [20, 20, 40, 40]


def test_a_dry_run_counts_the_trainings(cli: Cli) -> None:
    said = cli(*CURVE, "--dry-run", "--json")
    assert json.loads(said.out)["trainings"] == 8
    assert not Path("runs").exists()


def test_options_that_need_it_say_so(cli: Cli) -> None:
    for more in (("--to", "few.yaml"), ("--seeds", "3")):
        said = cli("pretrain", "lesson.yaml", *more)
        assert said.code == 2
        assert f"{more[0]} goes with --label-curve" in said.err
    said = cli("pretrain", "lesson.yaml", "--label-curve", "many")
    assert said.code == 2
    assert not Path("runs").exists()
