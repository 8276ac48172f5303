from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dnnlab.methods.session import Session
from dnnlab.training.evaluation import evaluate
from dnnlab.training.loop import NonFinite, Progress, fit, monitored, penalty_of
from tests.support import experiment_of, made_up_data, session_of

TEXT = """
data: digits
architecture: {name: mlp, hidden: [6]}
optimizer: {name: sgd, lr: 0.1}
training: {epochs: 4, batch_size: 8, threads: 1, evaluate_every: {epochs: 1}}
"""


def trained(folder: Path, text: str = TEXT) -> tuple[Session, list[Progress]]:
    session = session_of(text, folder=folder)
    steps = fit(session.experiment, session.plan, session.state, session.data, session.engine)
    return session, list(steps)


def test_records_come_at_boundaries(tmp_path: Path) -> None:
    session, steps = trained(tmp_path)
    assert session.plan.updates_per_epoch == 7
    records = [record for step in steps for record in step.records]
    assert [(r.step, r.epoch, r.split) for r in records] == [
        (step, step // 7, split) for step in (7, 14, 21, 28) for split in ("train", "validation")
    ]
    assert steps[-1].step == session.state.step == 28
    assert records[-1].values["loss"] < records[1].values["loss"]


def test_the_train_record_is_the_mean_over_its_updates(tmp_path: Path) -> None:
    session, steps = trained(tmp_path)
    other = session_of(TEXT, folder=tmp_path)
    stretch = other.engine.advance(7)
    first = next(step for step in steps if step.records).records[0].values
    weighted = sum(loss * size for loss, size in zip(stretch.losses, stretch.sizes, strict=True))
    weighted /= 50
    assert first["loss"] == pytest.approx(weighted, rel=1e-12)
    assert first["accuracy"] == sum(stretch.hits) / 50
    assert first["gradient_norm"] == pytest.approx(sum(stretch.gradient_norms) / 7, rel=1e-12)
    assert first["largest_gradient_norm"] == max(stretch.gradient_norms)
    assert first["lr"] == 0.1


def test_the_validation_record_is_an_evaluation(tmp_path: Path) -> None:
    session, steps = trained(tmp_path)
    assert session.data.validation is not None
    values = evaluate(
        session.state.network, session.data.validation, session.data.scaling, session.experiment
    )
    assert steps[-1].records[1].values == {**values, "lr": 0.1}


def test_without_validation_there_are_train_records_only(tmp_path: Path) -> None:
    from dataclasses import replace

    text = TEXT.replace("digits", "{name: digits, validation: null}")
    session = session_of(text, replace(made_up_data(), validation=None), folder=tmp_path)
    steps = fit(session.experiment, session.plan, session.state, session.data, session.engine)
    assert {record.split for step in steps for record in step.records} == {"train"}
    assert session.state.best is None


def test_the_best_weights_are_remembered(tmp_path: Path) -> None:
    session, steps = trained(tmp_path)
    losses = {r.step: r.values["loss"] for s in steps for r in s.records if r.split == "validation"}
    best = session.state.best
    assert best is not None
    assert best.step == min(losses, key=lambda step: losses[step])
    assert best.value == losses[best.step]


STOPPING = TEXT.replace("lr: 0.1", "lr: 1e-9") + (
    "regularization: {early_stopping: {patience: 2, min_delta: 0.01}}\n"
)


def test_early_stopping_counts_from_the_best(tmp_path: Path) -> None:
    """Nothing improves by 0.01: the first evaluation is the best, two epochs later it ends."""
    session, steps = trained(tmp_path, STOPPING)
    assert session.state.step == 21
    assert session.state.ended == "no better loss since epoch 1"
    assert session.state.best is not None
    assert session.state.best.step == 7


def test_a_stopped_training_stays_stopped(tmp_path: Path) -> None:
    session, _ = trained(tmp_path, STOPPING)
    again = fit(session.experiment, session.plan, session.state, session.data, session.engine)
    assert list(again) == []


def test_performance_scheduling_lowers_the_rate(tmp_path: Path) -> None:
    text = TEXT.replace("lr: 0.1", "lr: 1e-9") + (
        "schedule: {name: performance, patience: 1, factor: 0.1}\n"
    )
    _, steps = trained(tmp_path, text)
    rates = [r.values["lr"] for s in steps for r in s.records if r.split == "validation"]
    assert rates == pytest.approx([1e-9, 1e-9, 1e-10, 1e-11])


def test_other_weights_are_penalized_and_said(tmp_path: Path) -> None:
    text = TEXT + "regularization: {l2: 0.01}\n"
    session, steps = trained(tmp_path, text)
    tensors = session.state.network_tensors()
    expected = 0.01 * sum(
        tensors[name].square().sum().item() for name in ("dense1.weight", "output.weight")
    )
    assert steps[-1].records[0].values["penalty"] == pytest.approx(expected, rel=1e-5)
    assert penalty_of(session_of(TEXT, folder=tmp_path).state.network) == 0


def test_divergence_is_raised_and_the_state_is_still_good(tmp_path: Path) -> None:
    session = session_of(TEXT.replace("lr: 0.1", "lr: 1e30"), folder=tmp_path)
    with pytest.raises(NonFinite) as caught:
        list(fit(session.experiment, session.plan, session.state, session.data, session.engine))
    assert caught.value.failure.update == session.state.step
    assert torch.isfinite(session.state.weights).all()


def test_what_is_monitored_is_a_loss_and_nan_is_never_better() -> None:
    text = "data: digits\narchitecture: {name: mlp, hidden: []}\ntraining: {monitor: %s}"
    assert monitored(experiment_of(text % "loss"), 0.5) == 0.5
    assert monitored(experiment_of(text % "accuracy"), 0.5) == -0.5
    assert monitored(experiment_of(text % "accuracy"), math.nan) == math.inf
