from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dnnlab.config.read import read
from dnnlab.errors import ConfigError, DataError, DivergedError, MachineError, RunError
from dnnlab.methods import train
from dnnlab.methods.resume import resume
from dnnlab.methods.train import Interrupted, start
from dnnlab.runs import checkpoints
from dnnlab.runs.records import read_json, read_rows
from dnnlab.training.evaluation import evaluate
from dnnlab.training.loop import Progress
from tests.support import DIGITS, config_file, finished_run

EXPLODES = """
data: digits
architecture: {name: mlp, hidden: [16]}
optimizer: {name: sgd, lr: 1e30}
training: {epochs: 2, batch_size: 64, threads: 1}
"""


def test_a_finished_run_explains_itself(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    assert {file.name for file in path.iterdir()} >= {
        "run.json",
        "config.yaml",
        "config.source.yaml",
        "environment.json",
        "data.json",
        "metrics.jsonl",
        "events.jsonl",
        "result.json",
        "status.json",
        "checkpoints",
    }
    assert read_json(path / "status.json")["state"] == "finished"
    assert [row["event"] for row in read_rows(path / "events.jsonl")] == ["started", "finished"]
    rows = read_rows(path / "metrics.jsonl")
    assert [(row["step"], row["split"]) for row in rows] == [
        (step, split) for step in (5, 10, 12) for split in ("train", "validation")
    ]
    assert {"v", "segment", "step", "epoch", "split", "loss", "accuracy", "lr", "seconds"} <= set(
        rows[0]
    )


def test_the_result_has_the_keys_that_scripts_rely_on(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    result = read_json(path / "result.json")
    assert set(result) == {
        "schema",
        "run",
        "state",
        "ended",
        "seed",
        "engine",
        "device",
        "updates",
        "epochs",
        "seconds",
        "metrics",
        "best",
    }
    assert (result["schema"], result["state"], result["updates"]) == (1, "finished", 12)
    assert set(result["seconds"]) == {"total", "training", "evaluation"}
    assert set(result["metrics"]) == {"train", "validation", "test"}
    assert set(result["metrics"]["test"]) == {"loss", "accuracy"}
    assert set(result["best"]) == {"step", "metric", "value"}


def test_the_saved_config_trains_the_same(tmp_path: Path) -> None:
    """It is complete: every default and every resolved auto, so nothing is left to the reader."""
    path = finished_run(tmp_path, DIGITS, "activation=selu")
    saved = (path / "config.yaml").read_text()
    assert "auto" not in saved
    assert "lecun_normal" in saved
    (tmp_path / "again").mkdir()
    again = finished_run(tmp_path / "again", saved)
    assert read_json(again / "result.json")["metrics"] == read_json(path / "result.json")["metrics"]


def test_the_result_is_measured_with_the_weights_that_are_kept(tmp_path: Path) -> None:
    """A rate that destroys what was learned: the best weights are those of an early evaluation."""
    text = DIGITS + "optimizer: {name: sgd, lr: 20.0}\n"
    kept = "regularization: {early_stopping: {patience: {updates: 100}, restore_best: true}}\n"
    path = finished_run(tmp_path, text + kept)
    result = read_json(path / "result.json")
    best = result["best"]
    assert best["step"] < 12
    assert result["metrics"]["validation"]["loss"] == best["value"]
    (tmp_path / "last").mkdir()
    last = finished_run(tmp_path / "last", text + kept.replace("true", "false"))
    assert read_json(last / "result.json")["metrics"]["validation"]["loss"] > best["value"]


def test_a_training_that_diverges_says_where_and_keeps_the_last_good_weights(
    tmp_path: Path,
) -> None:
    config = config_file(tmp_path, EXPLODES)
    training = start(config, runs=tmp_path / "runs", name="boom", command=[])
    with pytest.raises(DivergedError, match=r"update \d+: .* is not finite .*lr 1e\+30") as caught:
        list(training.carry_on())
    assert caught.value.exit_code == 5
    assert "gradient_clipping" in caught.value.remedy
    path = training.folder.path
    assert read_json(path / "status.json")["state"] == "diverged"
    event = read_rows(path / "events.jsonl")[-1]
    assert event["event"] == "diverged"
    assert event["rows"]
    assert not (path / "result.json").exists()
    assert all(bool(p.isfinite().all()) for p in training.session.state.network_tensors().values())


def test_what_is_refused_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(ConfigError, match="a run's name has"):
        start(config_file(tmp_path), runs=runs, name="../out", command=[])
    too_large = config_file(tmp_path, DIGITS, "training.batch_size=5000")
    with pytest.raises(ConfigError):
        start(too_large, runs=runs, name=None, command=[])
    assert not runs.exists()


def test_a_bug_in_mid_training_leaves_the_state_failed_and_the_run_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Iterator[Progress]:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(train, "fit", broken)
        training = start(config_file(tmp_path), runs=tmp_path, name="bug", command=[])
        with pytest.raises(ZeroDivisionError):
            list(training.carry_on())
    assert read_json(tmp_path / "bug" / "status.json")["state"] == "failed"
    for _ in resume(tmp_path / "bug").carry_on():
        pass
    assert read_json(tmp_path / "bug" / "status.json")["state"] == "finished"


def stopped_run(folder: Path, text: str = DIGITS) -> Path:
    training = start(config_file(folder, text), runs=folder / "runs", name="cut", command=[])
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: True):
            pass
    return training.folder.path


def test_a_stop_is_written_down(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    status = read_json(path / "status.json")
    assert status["state"] == "interrupted"
    assert checkpoints.steps(path / "checkpoints") == [status["step"]]


def test_a_finished_run_is_not_resumed(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    with pytest.raises(RunError, match="is finished"):
        resume(path)


def test_a_run_in_use_is_not_resumed(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    holder = resume(path)
    with pytest.raises(RunError, match="in use"):
        resume(path)
    holder.folder.close()
    resume(path).folder.close()


def test_other_data_are_noticed(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = [f"{i},{i % 5},{i % 2}" for i in range(60)]
    table.write_text("a,b,y\n" + "\n".join(rows) + "\n")
    text = """
data: {name: csv, path: t.csv, target: y, task: classification}
architecture: {name: mlp, hidden: [4]}
training: {epochs: 3, batch_size: 16, threads: 1}
"""
    path = stopped_run(tmp_path, text)
    table.write_text("a,b,y\n" + "\n".join([*rows[:-1], "59,9,1"]) + "\n")
    with pytest.raises(DataError, match="the data have changed since the run began"):
        resume(path)
    table.write_text("a,b,y\n" + "\n".join(rows) + "\n")
    resume(path).folder.close()


def test_another_machine_is_named(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    environment = json.loads((path / "environment.json").read_text())
    environment["torch"] = "0.4"
    (path / "environment.json").write_text(json.dumps(environment))
    training = resume(path)
    training.folder.close()
    assert training.notes[0] == f"not bit-exact: torch 0.4 -> {torch.__version__}"


def test_a_run_goes_on_on_another_device_if_it_is_told_to(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    saved = (path / "config.yaml").read_text()
    (path / "config.yaml").write_text(saved.replace("device: cpu", "device: cuda:15"))
    about = read_json(path / "run.json")
    about["config_hash"] = read(path / "config.yaml").experiment.digest()
    (path / "run.json").write_text(json.dumps(about))
    with pytest.raises(MachineError, match="cuda:15"):
        resume(path)
    training = resume(path, device="cpu")
    training.folder.close()
    assert str(training.session.machine.device) == "cpu"


def test_seconds_add_up_over_segments(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    newest, _ = checkpoints.load_newest(path / "checkpoints")
    assert newest is not None
    before = newest.state["seconds"]["total"]
    training = resume(path)
    assert training.seconds.total >= before
    for _ in training.carry_on():
        pass
    seconds = read_json(path / "result.json")["seconds"]
    assert seconds["total"] >= before
    assert seconds["total"] >= seconds["training"] + seconds["evaluation"] - 0.01


def test_the_kept_weights_evaluate_to_the_result(tmp_path: Path) -> None:
    training = start(config_file(tmp_path), runs=tmp_path, name="r", command=[])
    list(training.carry_on())
    session = training.session
    values = evaluate(
        session.state.network, session.data.test, session.data.scaling, session.experiment
    )
    assert read_json(tmp_path / "r" / "result.json")["metrics"]["test"] == values


def test_the_config_is_saved_as_the_user_wrote_it_too(tmp_path: Path) -> None:
    text = "# mine\n" + DIGITS
    path = finished_run(tmp_path, text)
    assert (path / "config.source.yaml").read_text() == text
    assert read(path / "config.yaml").experiment.training.epochs.updates == 12


def test_a_config_that_was_edited_is_noticed(tmp_path: Path) -> None:
    path = stopped_run(tmp_path)
    saved = (path / "config.yaml").read_text()
    (path / "config.yaml").write_text(saved.replace("lr: 0.01", "lr: 0.5"))
    with pytest.raises(RunError, match=r"config\.yaml was changed since the run began"):
        resume(path)
    (path / "config.yaml").write_text("# a comment changes nothing\n" + saved)
    resume(path).folder.close()


def test_a_damaged_checkpoint_is_said_when_resuming(tmp_path: Path) -> None:
    config = config_file(tmp_path, DIGITS, "training.checkpoint_every={updates: 2}")
    training = start(config, runs=tmp_path, name="cut", command=[])
    state = training.session.state
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: state.step >= 6):
            pass
    folder = tmp_path / "cut" / "checkpoints"
    newest = checkpoints.steps(folder)[-1]
    (checkpoints.folder_of(folder, newest) / "network.safetensors").write_bytes(b"x")
    training = resume(tmp_path / "cut")
    training.folder.close()
    assert training.notes[0].startswith(f"the checkpoint of update {newest} is damaged (")
    assert training.session.state.step < newest


def test_a_net_too_large_for_the_memory_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="the memory of cpu is too small"):
        start(
            config_file(tmp_path, DIGITS, "architecture.hidden=[10000000, 10000000]"),
            runs=tmp_path / "runs",
            name=None,
            command=[],
        )
    assert not (tmp_path / "runs").exists()
