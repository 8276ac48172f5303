from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dnnlab.methods.session import Session
from dnnlab.training import loop
from dnnlab.training.evaluation import evaluate
from dnnlab.training.loop import NonFinite, Progress, fit, monitored, penalty_of
from tests.support import experiment_of, made_up_data, same_tensors, session_of

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


SKIPPING = TEXT.replace("0.1}", "0.1, momentum: 0.9}").replace(
    "threads: 1", "threads: 1, divergence: {skip: 4}"
) + ("normalization: batch\nregularization: {dropout: {rate: 0.2, where: hidden}}\n")


def with_a_huge_row(folder: Path, text: str = SKIPPING) -> Session:
    """A row that lets one update of each of the four epochs fail."""
    session = session_of(text, folder=folder)
    session.data.train.inputs[20] = 3e38
    return session


def steps_of(session: Session) -> Iterator[Progress]:
    return fit(session.experiment, session.plan, session.state, session.data, session.engine)


def test_updates_that_fail_are_left_out_up_to_the_number_allowed(tmp_path: Path) -> None:
    session = with_a_huge_row(tmp_path)
    skipped = [step.skipped for step in steps_of(session) if step.skipped]
    assert [failure.update // 7 for failure in skipped] == [0, 1, 2, 3]
    assert all(20 in failure.rows for failure in skipped)
    state = session.state
    assert (state.step, state.applied, state.skipped) == (28, 24, 4)
    fewer = with_a_huge_row(tmp_path, SKIPPING.replace("skip: 4", "skip: 3"))
    with pytest.raises(NonFinite) as caught:
        list(steps_of(fewer))
    assert caught.value.failure.update == skipped[3].update == fewer.state.step
    assert fewer.state.skipped == 3


def test_an_update_that_is_left_out_changes_nothing_but_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MOST_UPDATES", 1)
    session = with_a_huge_row(tmp_path)
    state, seen = session.state, 0
    before: dict[str, torch.Tensor] = {}
    for step in steps_of(session):
        after = {
            f"{group}: {name}": tensor.clone()
            for group, tensors in state.tensors().items()
            for name, tensor in tensors.items()
            if group != "best"
        }
        if step.skipped:
            seen += 1
            assert same_tensors(before, after)
            assert step.step == step.skipped.update + 1
        elif before:
            assert not same_tensors(before, after)
        before = after
    assert seen == 4


def test_leaving_out_does_not_depend_on_where_one_looks_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for most in (1, 3, 4096):
        monkeypatch.setattr(loop, "MOST_UPDATES", most)
        session = with_a_huge_row(tmp_path)
        records = [record.values for step in steps_of(session) for record in step.records]
        ends.append((records, session.state.numbers(), session.state.copy_of_network()))
    for records, numbers, network in ends[1:]:
        assert (records, numbers) == ends[0][:2]
        assert same_tensors(network, ends[0][2])


def test_what_was_left_out_is_not_in_the_means(tmp_path: Path) -> None:
    session, other = with_a_huge_row(tmp_path), with_a_huge_row(tmp_path)
    first = next(step for step in steps_of(session) if step.records).records[0].values
    before = other.engine.advance(7)
    other.state.step += 1
    after = other.engine.advance(7)
    pairs = [
        *zip(before.losses, before.sizes, strict=True),
        *zip(after.losses, after.sizes, strict=True),
    ]
    assert len(pairs) == 6
    examples = sum(size for _, size in pairs)
    assert examples == 50 - len(before.failure.rows if before.failure else [])
    mean = sum(loss * size for loss, size in pairs) / examples
    assert first["loss"] == pytest.approx(mean, rel=1e-12)
    assert first["accuracy"] == sum([*before.hits, *after.hits]) / examples


def test_a_mean_over_nothing_is_nan(tmp_path: Path) -> None:
    text = SKIPPING.replace("evaluate_every: {epochs: 1}", "evaluate_every: {updates: 1}")
    session = with_a_huge_row(tmp_path, text)
    for step in steps_of(session):
        train = step.records[0].values
        assert math.isnan(train["loss"]) == math.isnan(train["accuracy"]) == bool(step.skipped)


def test_weights_that_are_not_finite_already_are_not_helped_by_leaving_out(tmp_path: Path) -> None:
    session = session_of(SKIPPING, folder=tmp_path)
    with torch.no_grad():
        session.state.weights[0] = math.inf
    with pytest.raises(NonFinite, match=r"dense1\.weight before the update"):
        list(steps_of(session))
    assert (session.state.step, session.state.skipped) == (0, 0)


def test_what_float16_leaves_out_to_find_its_scale_is_no_failure(tmp_path: Path) -> None:
    """An infinite loss is one all the same, and leaves the scale as it is."""
    text = SKIPPING.replace("threads: 1", "threads: 1, precision: float16")
    session = session_of(text.replace("skip: 4", "skip: 1"), folder=tmp_path)
    session.state.loss_scale.factor = 2.0**40
    assert not any(step.skipped for step in steps_of(session))
    state = session.state
    assert 0 < state.applied < state.step == 28
    assert state.skipped == 0
    assert state.loss_scale.factor < 2.0**40
    huge = with_a_huge_row(tmp_path, text)
    huge.state.loss_scale.factor = scale = 64.0
    assert sum(bool(step.skipped) for step in steps_of(huge)) == huge.state.skipped == 4
    assert huge.state.loss_scale.factor == scale


@pytest.mark.parametrize("bad", [math.nan, 3e38])
def test_a_metric_that_is_not_finite_is_no_best_and_ends_nothing(
    bad: float, tmp_path: Path
) -> None:
    """The weights are finite, so the training goes on; the first finite metric is the best."""
    text = TEXT + (
        "regularization: {early_stopping: {patience: 3}}\n"
        "schedule: {name: performance, patience: 1, factor: 0.1}\n"
    )
    session = session_of(text, folder=tmp_path)
    validation, state = session.data.validation, session.state
    assert validation is not None
    good = validation.inputs[0].clone()
    validation.inputs[0] = bad
    for step in steps_of(session):
        if step.records:
            assert math.isfinite(step.records[1].values["loss"]) == (step.step > 14)
            assert (state.best is None) == (step.step <= 14)
        if step.step == 14:
            assert state.plateau.factor == pytest.approx(0.01)  # no improvement, twice
            validation.inputs[0] = good
    assert state.step == 28
    assert state.best is not None
    assert state.best.step >= 21


def test_early_stopping_counts_from_the_beginning_where_nothing_was_finite(tmp_path: Path) -> None:
    session = session_of(
        TEXT + "regularization: {early_stopping: {patience: 2}}\n", folder=tmp_path
    )
    assert session.data.validation is not None
    session.data.validation.inputs[0] = math.nan
    list(steps_of(session))
    assert session.state.ended == "no better loss since epoch 0"
    assert (session.state.step, session.state.best) == (14, None)


def test_what_is_monitored_is_a_loss_and_nan_is_never_better() -> None:
    text = "data: digits\narchitecture: {name: mlp, hidden: []}\ntraining: {monitor: %s}"
    assert monitored(experiment_of(text % "loss"), 0.5) == 0.5
    assert monitored(experiment_of(text % "accuracy"), 0.5) == -0.5
    assert monitored(experiment_of(text % "accuracy"), math.nan) == math.inf
