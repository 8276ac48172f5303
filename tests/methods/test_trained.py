from __future__ import annotations

from pathlib import Path

import pytest

from dnnlab.errors import ConfigError, MachineError, RunError
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


def test_a_word_that_names_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    for word in ("lsat", "Best", "step-12", "-1"):
        with pytest.raises(ConfigError, match=f"--checkpoint {word}: not kept, best, last"):
            load_trained(path, which=word)


def test_a_device_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='--device "mps" is not auto, cpu, cuda or cuda:1'):
        load_trained(finished_run(tmp_path), device="mps")


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    path = finished_run(tmp_path, WORSENS)
    whole = load_trained(path)
    assert whole.notes == ()
    with (checkpoints.folder_of(path / "checkpoints", 12) / "network.safetensors").open("ab") as f:
        f.write(b"x")
    older = load_trained(path)
    assert older.step == 10
    (note,) = older.notes
    assert note.startswith("the checkpoint of update 12 is damaged (")
    assert note.endswith("that of update 10 is used")


@pytest.mark.parametrize("name", ["config.yaml", "data.json", "environment.json"])
def test_a_run_with_a_hole_in_it_is_refused(name: str, tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    (path / name).unlink()
    with pytest.raises(RunError, match=f"is no whole run: {name} is missing"):
        load_trained(path)


def test_a_config_of_another_net_is_refused_and_one_of_another_training_is_said(
    tmp_path: Path,
) -> None:
    path = finished_run(tmp_path)
    saved = (path / "config.yaml").read_text()
    assert "lr: 0.01" in saved
    (path / "config.yaml").write_text(saved.replace("lr: 0.01", "lr: 0.02"))
    assert load_trained(path).notes == ("not as trained: optimizer.lr: 0.01 -> 0.02",)
    (path / "config.yaml").write_text(saved.replace("activation: {name: relu}", "activation: elu"))
    with pytest.raises(ConfigError) as caught:
        load_trained(path)
    (problem,) = caught.value.problems
    assert problem.message.startswith('activation.name: "relu" -> "elu"; the weights of this run')


def test_data_json_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    (path / "data.json").write_text("{}")
    with pytest.raises(RunError, match="is not as dnnlab wrote it"):
        load_trained(path)
