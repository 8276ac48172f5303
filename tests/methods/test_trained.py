from __future__ import annotations

from pathlib import Path

import pytest

from dnnlab.errors import MachineError, RunError
from dnnlab.methods.trained import load_trained
from dnnlab.runs import checkpoints
from dnnlab.runs.records import read_json
from tests.support import DIGITS, finished_run, same_tensors

WORSENS = (
    DIGITS.replace("threads: 1", "threads: 1, checkpoint_every: {updates: 5}")
    + "optimizer: {name: sgd, lr: 20.0}\n"
)
"""The loss is best at an early evaluation and not at the last."""
KEEPS_BEST = WORSENS + "regularization: {early_stopping: {patience: {updates: 100}}}\n"


def test_kept_is_the_last_unless_early_stopping_restores_the_best(tmp_path: Path) -> None:
    plain = finished_run(tmp_path, WORSENS, name="plain")
    stopping = finished_run(tmp_path, KEEPS_BEST, name="stopping")
    best = read_json(plain / "result.json")["best"]["step"]
    assert best < 12
    assert load_trained(plain).step == 12
    assert load_trained(stopping).step == best
    assert load_trained(stopping, which="last").step == 12
    assert load_trained(plain, which="best").step == best
    wanted = load_trained(stopping).state.network_tensors()
    assert same_tensors(load_trained(plain, which="best").state.network_tensors(), wanted)
    assert not same_tensors(load_trained(plain).state.network_tensors(), wanted)


def test_a_step_by_its_number(tmp_path: Path) -> None:
    path = finished_run(tmp_path, WORSENS)
    known = checkpoints.steps(path / "checkpoints")
    assert 10 in known
    assert load_trained(path, which="10").step == 10
    with pytest.raises(RunError, match="has no checkpoint of step 11; it has .*12"):
        load_trained(path, which="11")


def test_a_run_without_a_checkpoint(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    for step in checkpoints.steps(path / "checkpoints"):
        for file in checkpoints.folder_of(path / "checkpoints", step).iterdir():
            file.unlink()
        checkpoints.folder_of(path / "checkpoints", step).rmdir()
    with pytest.raises(RunError, match="has no checkpoint yet"):
        load_trained(path)


def test_a_best_before_the_first_evaluation(tmp_path: Path) -> None:
    path = finished_run(tmp_path, DIGITS.replace("data: digits", "data: {name: digits}"))
    without = finished_run(tmp_path, DIGITS, "data.validation=null", name="without")
    assert load_trained(path, which="best").step > 0
    with pytest.raises(RunError, match="has no best"):
        load_trained(without, which="best")


def test_a_net_trained_on_a_device_that_is_not_here_is_loaded_on_what_is(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    saved = (path / "config.yaml").read_text()
    assert "device: cpu" in saved
    (path / "config.yaml").write_text(saved.replace("device: cpu", "device: cuda:15"))
    assert load_trained(path).device.type in ("cpu", "cuda")
    with pytest.raises(MachineError, match="cuda:15"):
        load_trained(path, device="cuda:15")
