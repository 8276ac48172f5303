from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dnnlab.errors import MachineError
from dnnlab.methods import verify_resume
from dnnlab.methods.train import Training
from dnnlab.methods.verify_resume import Interruption, differences, verify
from tests.support import DIGITS, config_file, finished_run

TEXT = """
data: wine
architecture: {name: mlp, hidden: [4]}
optimizer: nadam
regularization: {dropout: 0.2, early_stopping: {patience: {updates: 400}}}
training: {batch_size: 16, threads: 1}
"""


def test_a_training_is_interrupted_and_compared(tmp_path: Path) -> None:
    said: list[str] = []
    verdict = verify(config_file(tmp_path, TEXT), updates=20, times=2, say=said.append)
    assert verdict.exact
    assert verdict.interruptions == (Interruption(6, "killed"), Interruption(16, "stopped"))
    assert said[1:] == ["interrupted at update 6: killed", "interrupted at update 16: stopped"]
    # network and best: two layers of weight and bias; nadam: two moments of each and a product
    assert verdict.tensors == 4 + 4 + 9
    assert verdict.records == 10
    assert verdict.to_json()["interruptions"][0] == {"update": 6, "how": "killed"}


def no_process(*_: Any) -> None:
    """Stands for interruptions where only the end matters."""


def test_a_bit_that_is_lost_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = verify_resume._begin

    def with_a_flipped_bit(file: Path, runs: Path, name: str) -> Training:
        training = begin(file, runs, name)
        if name == "cut":
            training.session.state.weights.view(torch.int32)[0] ^= 1
        return training

    monkeypatch.setattr(verify_resume, "_begin", with_a_flipped_bit)
    monkeypatch.setattr(verify_resume, "_in_a_process", no_process)
    verdict = verify(config_file(tmp_path, TEXT), updates=8, times=1)
    assert not verdict.exact
    assert "network: dense1.weight" in verdict.differences
    assert any(each.startswith("optimizer: ") for each in verdict.differences)


def test_a_machine_on_which_nothing_can_be_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = verify_resume._begin

    def with_other_weights(file: Path, runs: Path, name: str) -> Training:
        training = begin(file, runs, name)
        if name == "again":
            training.session.state.weights[0] += 0.5
        return training

    monkeypatch.setattr(verify_resume, "_begin", with_other_weights)
    with pytest.raises(MachineError, match="two uninterrupted trainings differ") as caught:
        verify(config_file(tmp_path, TEXT), updates=8, times=1)
    assert "training.threads: 1" in caught.value.remedy


def test_differences_of_the_same_and_of_others(tmp_path: Path) -> None:
    left, right = (finished_run(tmp_path, name=name) for name in ("left", "right"))
    other = finished_run(tmp_path, DIGITS, "training.seed=7", name="other")
    assert differences(left, right) == []
    assert "records" in differences(left, other)
    assert "result: metrics" in differences(left, other)
