from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dnnlab import disk
from dnnlab.config.read import read
from dnnlab.errors import ConfigError, DataError, RunError
from dnnlab.methods.resume import Terms, resume
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.runs import checkpoints
from dnnlab.runs.records import measurements, read_json, read_rows
from tests.support import DIGITS, config_file

TEXT = DIGITS.replace("epochs: {updates: 12}", "epochs: {updates: 12}, checkpoint_every: 1")


def stopped(folder: Path, *options: str, text: str = TEXT, at: int = 6) -> Path:
    """Returns a run that was stopped in mid-training."""
    folder.mkdir(exist_ok=True)
    config = config_file(folder, text, *options)
    training = start(config, runs=folder / "runs", name="it", command=[])
    state = training.session.state
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: state.step >= at):
            pass
    return training.folder.path


def finish(training: Training) -> Path:
    for _ in training.carry_on():
        pass
    return training.folder.path


def finished(folder: Path, *options: str, text: str = TEXT) -> Path:
    folder.mkdir(exist_ok=True)
    config = config_file(folder, text, *options)
    return finish(start(config, runs=folder / "runs", name="it", command=[]))


def refused(path: Path, *options: str, **terms: Any) -> list[str]:
    """Returns the problems for which going on is refused."""
    before = sorted(p.name for p in path.rglob("*"))
    with pytest.raises(ConfigError) as caught:
        resume(path, Terms(options, **terms))
    assert sorted(p.name for p in path.rglob("*")) == before
    return [f"{problem.place} {problem.message}" for problem in caught.value.problems]


def accepted(path: Path, *options: str, **terms: Any) -> Training:
    training = resume(path, Terms(options, **terms))
    training.folder.close()
    return training


# --- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option",
    [
        "activation=elu",
        "architecture.hidden=[8]",
        "normalization=batch",
        "optimizer=nadam",
        "training.seed=7",
        "training.batch_size=32",
        "data.standardize=none",
        "data.validation.fraction=0.4",
        "initializer=zeros",
    ],
)
def test_what_the_weights_belong_to_never_changes(option: str, tmp_path: Path) -> None:
    path = stopped(tmp_path)
    (problem, *_) = refused(path, option, accept_changes=True)
    key = option.partition("=")[0]
    assert problem.startswith(f"--set {key}")
    assert problem.endswith("the weights of this run belong to the former: train anew")


@pytest.mark.parametrize(
    "option",
    [
        "optimizer.lr=0.5",
        "regularization.dropout=0.5",
        "gradient_clipping={norm: 1}",
        "schedule=cosine",
        "training.evaluate_every={updates: 3}",
        "training.monitor=accuracy",
        "loss={name: cross_entropy}",
    ],
)
def test_what_changes_the_training_has_to_be_wanted(option: str, tmp_path: Path) -> None:
    path = stopped(tmp_path)
    if option.startswith("loss"):  # the same by another spelling is no change
        accepted(path, option)
        return
    (problem, *_) = refused(path, option)
    key = option.partition("=")[0]
    assert problem.startswith(f"--set {key} {key}")
    assert problem.endswith("--accept-changes goes on with it, no longer as the run began")
    training = accepted(path, option, accept_changes=True)
    assert training.notes[0].startswith(f"not bit-exact: {key}")
    event = read_rows(path / "events.jsonl")[-1]
    assert event["event"] == "resumed"
    assert event["differences"][0].startswith(key)
    again = accepted(path)  # the change is the run's own now
    assert again.session.experiment == training.session.experiment
    assert read(path / "config.yaml").experiment == training.session.experiment


@pytest.mark.parametrize("option", ["training.checkpoint_every={updates: 2}", "training.threads=2"])
def test_what_no_number_depends_on_is_free(option: str, tmp_path: Path) -> None:
    path = stopped(tmp_path)
    training = accepted(path, option)
    assert option.partition("=")[0] in " ".join(training.notes)


def test_an_edit_of_the_file_is_a_change_like_any_other(tmp_path: Path) -> None:
    path = stopped(tmp_path, "optimizer.lr=0.01")
    saved = (path / "config.yaml").read_text()
    (path / "config.yaml").write_text(saved.replace("lr: 0.01", "lr: 0.5"))
    (problem,) = refused(path)
    line = saved.splitlines().index(next(x for x in saved.splitlines() if "lr: 0.01" in x)) + 1
    assert problem.startswith(f"{line}:")
    assert "optimizer.lr: 0.01 -> 0.5" in problem
    (path / "config.yaml").write_text("# a comment changes nothing\n" + saved)
    accepted(path)


def test_all_changes_are_named_at_once(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    problems = refused(path, "optimizer.lr=0.5", "training.seed=3", "activation=elu")
    assert len(problems) == 3


def test_killed_while_a_change_is_taken_over_the_next_start_names_it_again(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    kept = (path / "settings.json").read_bytes()
    accepted(path, "optimizer.lr=0.5", accept_changes=True)
    disk.replace(path / "settings.json", kept)
    assert "optimizer.lr: 0.01 -> 0.5" in refused(path)[0]


def test_a_run_that_kept_no_settings_goes_on_if_its_config_is_as_it_was(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    (path / "settings.json").unlink()
    accepted(path)
    (path / "settings.json").unlink(missing_ok=True)
    text = (path / "config.yaml").read_text()
    (path / "config.yaml").write_text(text.replace("lr: 0.01", "lr: 0.5"))
    with pytest.raises(RunError, match=r"config\.yaml is not what the run began with"):
        resume(path)
    accepted(path, accept_changes=True)


def test_settings_that_this_dnnlab_does_not_know(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    kept = read_json(path / "settings.json")
    kept["settings"]["wings"] = 2
    (path / "settings.json").write_text(json.dumps(kept))
    with pytest.raises(RunError, match="what this dnnlab does not know: unknown key 'wings'"):
        resume(path)


# --- length ----------------------------------------------------------------------------------


def test_more_epochs_under_a_constant_rate_are_free(tmp_path: Path) -> None:
    whole = finished(tmp_path / "a", "training.epochs={updates: 20}")
    path = finish(resume(stopped(tmp_path / "b"), Terms(["training.epochs={updates: 20}"])))
    assert read_json(path / "result.json")["metrics"] == read_json(whole / "result.json")["metrics"]


@pytest.mark.parametrize("greedy", ["true", "false"])
def test_a_length_that_would_move_the_turns_of_layers_is_refused(
    greedy: str, tmp_path: Path
) -> None:
    text = f"{TEXT}pretraining: {{name: autoencoder, greedy: {greedy}}}\n"
    path, more = stopped(tmp_path, text=text), "training.epochs={updates: 24}"
    if greedy == "false":
        finish(resume(path, Terms([more])))
        return
    (problem,) = refused(path, more)
    assert "training.epochs: layers learn one after the other, each for its share" in problem


def test_a_finished_run_goes_on_if_it_is_given_more_epochs(tmp_path: Path) -> None:
    whole = finished(tmp_path / "a", "training.epochs={updates: 20}")
    path = finished(tmp_path / "b")
    first = read_json(path / "result.json")
    with pytest.raises(RunError, match="is finished") as caught:
        resume(path)
    assert "--set training.epochs=" in caught.value.remedy
    finish(resume(path, Terms(["training.epochs={updates: 20}"])))
    assert read_json(path / "result.segment-0.json") == first
    assert read_json(path / "result.json")["metrics"] == read_json(whole / "result.json")["metrics"]
    steps = [(row["split"], row["step"]) for row in measurements(path)]
    assert steps.count(("train", 12)) == 1


@pytest.mark.parametrize("name", ["one_cycle", "cosine", "linear"])
def test_under_a_schedule_that_looks_at_the_length_one_has_to_choose(
    name: str, tmp_path: Path
) -> None:
    path = stopped(tmp_path, f"schedule={name}", "optimizer.lr=0.1")
    more = "training.epochs={updates: 24}"
    (problem,) = refused(path, more)
    assert problem.startswith(f"--set training.epochs training.epochs: {name} looks at the length")
    assert "--schedule rescale" in problem
    assert "--schedule hold" in problem
    training = accepted(path, more, schedule="hold")
    plan, schedule = training.session.plan, training.session.experiment.schedule
    held = [schedule.lr_factor(update, plan.span) for update in range(24)]
    assert plan.total_updates == 24
    assert held[12:] == [held[11]] * 12
    before = read(path.parents[1] / "tiny.yaml", [f"schedule={name}"]).experiment
    assert held[:12] == [
        before.resolved().schedule.lr_factor(u, before.plan(plan.num_train).span) for u in range(12)
    ]


def test_rescaling_stretches_the_schedule(tmp_path: Path) -> None:
    path = stopped(tmp_path, "schedule=cosine")
    training = accepted(path, "training.epochs={updates: 24}", schedule="rescale")
    schedule, plan = training.session.experiment.schedule, training.session.plan
    assert schedule.length is None
    assert plan.span.total == 24
    assert schedule.lr_factor(12, plan.span) == pytest.approx(0.5)


def test_fewer_epochs_than_applied_are_refused(tmp_path: Path) -> None:
    path = stopped(tmp_path, at=8)
    (problem,) = refused(path, "training.epochs={updates: 3}")
    assert "3 updates are fewer than the " in problem


def test_schedule_goes_with_another_length(tmp_path: Path) -> None:
    assert "they are the same" in refused(stopped(tmp_path), schedule="hold")[0]


def test_early_stopping_that_ended_a_run_may_be_loosened(tmp_path: Path) -> None:
    stopping = "regularization.early_stopping"
    path = finished(tmp_path, f"{stopping}={{patience: {{updates: 1}}, min_delta: 100.0}}")
    assert read_json(path / "result.json")["updates"] < 12
    with pytest.raises(RunError, match="is finished"):
        resume(path)
    loose = f"{stopping}.patience={{updates: 100}}"
    finish(resume(path, Terms([loose], accept_changes=True)))
    assert read_json(path / "result.json")["updates"] == 12


# --- machine, data, what was lost -------------------------------------------------------------


def other_machine(path: Path, **values: object) -> None:
    environment = read_json(path / "environment.json")
    (path / "environment.json").write_text(json.dumps(environment | values))


def test_another_torch_is_said_recorded_and_refused_with_exact(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    accepted(path, exact=True)
    other_machine(path, torch="2.9", threads=64)
    with pytest.raises(RunError, match=r"would not be bit-exact: torch 2\.9 -> .*threads 64 -> 1"):
        resume(path, Terms(exact=True))
    training = accepted(path)
    assert training.notes[0].startswith("not bit-exact: torch 2.9 -> ")
    assert read_rows(path / "events.jsonl")[-1]["differences"][0].startswith("torch 2.9 -> ")
    other_machine(path, **training.session.machine.describe())
    with pytest.raises(RunError, match=r"would not be bit-exact: torch 2\.9"):
        resume(path, Terms(exact=True))  # a stretch of it was not


def test_other_data_are_refused_with_both_fingerprints(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    known = read_json(path / "data.json")
    (path / "data.json").write_text(json.dumps({**known, "fingerprint": "f" * 64}))
    with pytest.raises(DataError, match=f"fingerprint {'f' * 12} was {known['fingerprint'][:12]}"):
        resume(path)


def test_it_says_how_far_it_had_come(tmp_path: Path) -> None:
    path = stopped(tmp_path, "training.checkpoint_every={updates: 3}")
    status = read_json(path / "status.json")
    (path / "status.json").write_text(json.dumps({**status, "step": 11}))
    step = checkpoints.steps(path / "checkpoints")[-1]
    note = f"it had come to update 11; the {11 - step} after the last checkpoint are applied again"
    assert note in accepted(path).notes


def test_a_bad_line_amid_a_log_is_counted_named_and_left(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    log = path / "metrics.jsonl"
    content = b'{"noise\n' + log.read_bytes()
    log.write_bytes(content)
    assert f"{log}: 1 unreadable (1), passed over" in accepted(path).notes
    assert log.read_bytes() == content


def test_a_refused_run_is_free_again(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    for _ in range(2):
        refused(path, "optimizer.lr=0.5")
    accepted(path)
