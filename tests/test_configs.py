"""Every config that is shipped validates, says what to expect, and trains."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dnnlab.config.read import read
from dnnlab.methods.session import assemble
from dnnlab.training.data import Data, Split, prepare
from tests.support import is_here

FOLDER = Path(__file__).parent.parent / "configs"
CONFIGS = sorted(FOLDER.glob("*.yaml"))


def name_of(path: Path) -> str:
    return path.stem


def test_there_are_configs() -> None:
    assert {path.stem for path in CONFIGS} >= {
        "digits",
        "fashion_mlp",
        "selu100",
        "relu100",
        "batch_norm",
        "alpha_dropout",
        "one_cycle",
    }


@pytest.mark.parametrize("path", CONFIGS, ids=name_of)
def test_it_is_right(path: Path) -> None:
    assert read(path).warnings() == []


@pytest.mark.parametrize("path", CONFIGS, ids=name_of)
def test_its_head_says_how_to_run_it_and_what_to_expect(path: Path) -> None:
    lines = path.read_text().splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert lines[0] == "# yaml-language-server: $schema=dnnlab.schema.json"
    verb = "train" if read(path).experiment.pretraining is None else "pretrain"
    ways = [f"#   dnnlab {verb} configs/{path.name}"]
    if path.stem.startswith("task_"):
        a, b = path.stem.replace("task_b", "task_a"), path.stem.replace("task_a", "task_b")
        ways = [f"#   dnnlab transfer --from configs/{a}.yaml --to configs/{b}.yaml"]
    assert any(line.startswith(way) for way in ways for line in head)
    expected = [line for line in head if line.startswith("# Expect: ")]
    assert len(expected) == 1
    assert any(character.isdigit() for character in expected[0])
    assert "@@" not in path.read_text()


def first(split: Split, count: int) -> Split:
    return Split(split.inputs[:count], split.targets[:count])


@pytest.mark.parametrize("path", CONFIGS, ids=name_of)
def test_it_trains_two_updates_on_a_slice(path: Path) -> None:
    config = read(path)
    if not is_here(config.experiment.data):
        pytest.skip(f"the files of {config.experiment.data.name} are not on this machine")
    whole = prepare(config.experiment.data)
    assert whole.validation is not None
    data = Data(
        train=first(whole.train, 300),
        validation=first(whole.validation, 100),
        test=first(whole.test, 100),
        signature=whole.signature,
        scaling=whole.scaling,
        fingerprint=whole.fingerprint,
        class_names=whole.class_names,
        columns=whole.columns,
    )
    session = assemble(config, data)
    before = session.state.weights.clone()
    stretch = session.engine.advance(2)
    assert stretch.failure is None
    assert len(stretch.losses) == 2
    assert all(math.isfinite(loss) for loss in stretch.losses)
    assert not torch.equal(before, session.state.weights)
