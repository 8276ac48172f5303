from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from dnnlab.config.read import read
from dnnlab.errors import ConfigError, DataError, DivergedError, MachineError, RunError
from dnnlab.methods import train
from dnnlab.methods.resume import Terms, resume
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.runs import checkpoints
from dnnlab.runs.records import measurements, read_json, read_rows
from dnnlab.training.evaluation import evaluate
from dnnlab.training.loop import Progress
from tests.support import DIGITS, config_file, finished_run, same_tensors
from tests.variations import EXPLODES, EXPLODES_AT_ONCE, HUGE_ROW, text_of

EXPLODES_PLAINLY = """
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
        "skipped",
        "rollbacks",
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
    config = config_file(tmp_path, EXPLODES_PLAINLY)
    training = start(config, runs=tmp_path / "runs", name="boom", command=[])
    with pytest.raises(DivergedError, match=r"update \d+: .* is not finite .*lr 1e\+30") as caught:
        list(training.carry_on())
    assert caught.value.exit_code == 5
    path = training.folder.path
    assert f"no checkpoint was saved yet; the evidence is in {path}" in caught.value.message
    assert caught.value.remedy == (
        "a lower optimizer.lr, or gradient_clipping: {norm: 1.0}, "
        "or training.divergence: {rollback: {}}"
    )
    assert read_json(path / "status.json")["state"] == "diverged"
    event = read_rows(path / "events.jsonl")[-1]
    assert event["event"] == "diverged"
    assert event["update"] == event["step"] == training.session.state.step
    assert event["lr"] == 1e30
    assert len(event["gradient_norms_before"]) == event["update"]
    assert len(event["rows"]) == event["batch_size"] == 64
    assert not (path / "result.json").exists()
    assert all(bool(p.isfinite().all()) for p in training.session.state.network_tensors().values())


def failing(folder: Path, lines: str, *options: str, name: str = "failing") -> Training:
    """A run of one of tests/variations.py, not begun yet."""
    config = config_file(folder, text_of(lines, folder), *options)
    return start(config, runs=folder / "runs", name=name, command=[])


def events_of(path: Path, *words: str) -> list[dict[str, Any]]:
    return [row for row in read_rows(path / "events.jsonl") if row["event"] in words]


def assert_all_that_is_saved_is_finite(path: Path) -> None:
    files = list(path.glob("checkpoints/*/*.safetensors"))
    assert files
    for file in files:
        for name, tensor in safetensors.torch.load_file(file).items():
            assert bool(tensor.isfinite().all()), f"{file}: {name}"


def test_updates_that_are_left_out_are_written_down(tmp_path: Path) -> None:
    training = failing(tmp_path, HUGE_ROW)
    steps = [step for step in training.carry_on() if step.skipped]
    path, state = training.folder.path, training.session.state
    events = events_of(path, "skipped")
    assert [row["update"] for row in events] == [step.step - 1 for step in steps]
    assert [row["segment"] for row in events] == [0] * len(events)
    assert all(row["what"] and row["lr"] == 0.01 for row in events)
    assert all(row["gradient_norms_before"] for row in events)
    assert all(len(row["rows"]) == row["batch_size"] for row in events)
    huge = int(training.session.data.train.inputs.amax(1).argmax())
    assert all(huge in row["rows"] for row in events)
    result = read_json(path / "result.json")
    assert (result["skipped"], result["rollbacks"]) == (len(events), 0)
    assert result["updates"] == state.applied + len(events) == 14
    assert result["ended"] == f"all updates applied but {len(events)}"
    assert_all_that_is_saved_is_finite(path)


def test_one_failure_more_than_may_be_left_out_ends_the_training(tmp_path: Path) -> None:
    training = failing(tmp_path, HUGE_ROW, "training.divergence.skip=2")
    with pytest.raises(DivergedError) as caught:
        list(training.carry_on())
    assert "training.divergence.skip: 2 is used up; " in caught.value.message
    assert "or training.divergence: {rollback: {}}" in caught.value.remedy
    path = training.folder.path
    words = [row["event"] for row in events_of(path, "skipped", "diverged")]
    assert words == ["skipped", "skipped", "diverged"]
    newest = checkpoints.steps(path / "checkpoints")[-1]
    assert f"the last good checkpoint is of update {newest}; " in caught.value.message
    assert_all_that_is_saved_is_finite(path)


def test_a_large_batch_is_not_written_down_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "MOST_ROWS", 7)
    training = failing(tmp_path, HUGE_ROW)
    list(training.carry_on())
    event = events_of(training.folder.path, "skipped")[0]
    assert (len(event["rows"]), event["batch_size"]) == (7, 40)


def test_going_back_to_a_checkpoint(tmp_path: Path) -> None:
    """It fails twice, the second time right behind a checkpoint that a lower rate cannot help."""
    training = failing(tmp_path, EXPLODES)
    path, state, times = training.folder.path, training.session.state, 0
    before: dict[str, Any] = {}
    for step in training.carry_on():
        if step.step == 5 and not step.rolled_back:
            before = {g: {n: t.clone() for n, t in ts.items()} for g, ts in state.tensors().items()}
            numbers = state.numbers()
        if step.rolled_back:
            for group, tensors in before.items():
                assert same_tensors(tensors, state.tensors()[group]), group
            times += 1
            assert state.rollbacks == times
            went = {"rollbacks": times, "lr_factor": state.lr_factor}
            assert state.numbers() == numbers | went
            assert checkpoints.steps(path / "checkpoints")[-1] == 5
            assert read_json(path / "status.json")["step"] == 5
    events = events_of(path, "rolled_back")
    assert [(row["update"], row["step"], row["segment"]) for row in events] == [
        (9, 5, 1),
        (10, 5, 2),
    ]
    assert [row["rollbacks"] for row in events] == [1, 2]
    assert [row["lr_factor"] for row in events] == pytest.approx([1e-6, 1e-12])
    assert [row["lr"] for row in events] == pytest.approx([1e10, 1e4])
    assert all(row["what"] and row["gradient_norms_before"] and row["rows"] for row in events)
    result = read_json(path / "result.json")
    assert (result["skipped"], result["rollbacks"], result["updates"]) == (0, 2, 14)
    assert_all_that_is_saved_is_finite(path)


def test_what_was_measured_behind_the_checkpoint_no_longer_counts(tmp_path: Path) -> None:
    training = failing(tmp_path, EXPLODES)
    list(training.carry_on())
    path = training.folder.path
    steps = [(row["segment"], row["step"]) for row in measurements(path) if row["split"] == "train"]
    assert steps == [(0, 4), (2, 8), (2, 12), (2, 14)]
    written = [row["step"] for row in read_rows(path / "metrics.jsonl") if row["split"] == "train"]
    assert written == [4, 8, 8, 8, 12, 14]
    best = read_json(path / "result.json")["best"]
    assert best["step"] in {row["step"] for row in measurements(path)}


def test_going_back_to_the_beginning(tmp_path: Path) -> None:
    training = failing(tmp_path, EXPLODES_AT_ONCE)
    list(training.carry_on())
    (event,) = events_of(training.folder.path, "rolled_back")
    assert (event["update"], event["step"]) == (1, 0)
    slower = failing(
        tmp_path, EXPLODES_AT_ONCE, "optimizer.lr=0.1", "training.divergence=stop", name="slower"
    )
    list(slower.carry_on())
    left, right = training.session.state, slower.session.state
    assert left.lr_factor * 1e10 == pytest.approx(0.1)
    torch.testing.assert_close(left.weights, right.weights, rtol=1e-4, atol=1e-5)


def test_after_the_last_time_it_may_go_back_a_failure_ends_the_training(tmp_path: Path) -> None:
    training = failing(tmp_path, EXPLODES, "training.divergence.rollback.max=1")
    with pytest.raises(DivergedError) as caught:
        list(training.carry_on())
    assert "training.divergence.rollback.max: 1 is used up; the last good" in caught.value.message
    assert "a smaller training.divergence.rollback.lr_factor" in caught.value.remedy
    path = training.folder.path
    words = [row["event"] for row in events_of(path, "rolled_back", "diverged")]
    assert words == ["rolled_back", "diverged"]
    assert read_json(path / "status.json")["state"] == "diverged"
    assert_all_that_is_saved_is_finite(path)


def test_a_damaged_checkpoint_is_not_gone_back_to(tmp_path: Path) -> None:
    training = failing(tmp_path, EXPLODES, "training.checkpoint_every={updates: 4}")
    folder = training.folder.path / "checkpoints"
    went: list[int] = []
    for step in training.carry_on():
        if step.step == 8 and not went:
            (checkpoints.folder_of(folder, 8) / "network.safetensors").write_bytes(b"x")
        if step.rolled_back:
            went.append(step.step)
    assert went[0] == 4
    assert [row["step"] for row in events_of(training.folder.path, "damaged")] == [8]
    assert read_json(training.folder.path / "result.json")["rollbacks"] == len(went)


def test_first_weights_that_are_not_finite_are_not_helped_by_going_back(tmp_path: Path) -> None:
    training = failing(tmp_path, "divergence: {rollback: {}}")
    training.session.state.network_tensors()["dense1.bias"][0] = torch.inf
    with pytest.raises(DivergedError, match=r"update 0: dense1\.bias before the update") as caught:
        list(training.carry_on())
    assert caught.value.remedy == "smaller first weights: initializer, bias_initializer"
    assert events_of(training.folder.path, "rolled_back") == []


def test_nothing_that_is_not_finite_can_be_saved(tmp_path: Path) -> None:
    training = failing(tmp_path, EXPLODES)
    training.session.state.slots["velocity"][0] = torch.inf
    with pytest.raises(AssertionError, match=r"velocity\.dense1\.weight is about to be saved"):
        training.save()
    assert checkpoints.steps(training.folder.checkpoints) == []
    training.folder.close()


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (
            ["gradient_clipping={value: 1e20}"],
            "a lower optimizer.lr, or a tighter gradient_clipping",
        ),
        (["training.precision=float16"], "training.precision: bfloat16"),
    ],
)
def test_the_remedy_fits_the_experiment(options: list[str], remedy: str, tmp_path: Path) -> None:
    config = config_file(tmp_path, EXPLODES_PLAINLY, *options)
    with pytest.raises(DivergedError) as caught:
        list(start(config, runs=tmp_path / "runs", name="boom", command=[]).carry_on())
    assert remedy in caught.value.remedy


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
    training = resume(path, Terms(["training.device=cpu"]))
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
    with pytest.raises(ConfigError, match=r"1 problem in .*config\.yaml") as caught:
        resume(path)
    problem = caught.value.problems[0]
    assert problem.message.startswith("optimizer.lr: 0.01 -> 0.5; --accept-changes goes on")
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
