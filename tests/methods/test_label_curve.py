from __future__ import annotations

from pathlib import Path

import pytest

from dnnlab.errors import ConfigError, DataError
from dnnlab.methods.label_curve import arms_of_labels, check_arms, counts_of, labelled
from dnnlab.methods.source import Origin
from dnnlab.methods.study import begin, reopen
from dnnlab.methods.train import Interrupted
from dnnlab.methods.transfer import NothingInCommon, expected
from dnnlab.methods.verify_resume import differences
from dnnlab.runs.records import read_json
from tests.methods.test_study import follow, result_of
from tests.support import config_file, experiment_of

LESSON = """
data: {name: digits, validation: {fraction: 0.2}, standardize: range}
architecture: {name: mlp, hidden: [12, 10]}
activation: elu
regularization: {l2: 1e-4}
pretraining: autoencoder
loss: mae
metrics: [mae]
optimizer: {name: sgd, lr: 0.1}
training: {epochs: {updates: 30}, batch_size: 64, seed: 7, threads: 1}
"""


def test_the_labelled_training_is_the_same_net_with_settings_of_its_own(tmp_path: Path) -> None:
    found = labelled(config_file(tmp_path, LESSON)).experiment
    expected_text = """
data: {name: digits, validation: {fraction: 0.2}, standardize: range}
architecture: {name: mlp, hidden: [12, 10]}
activation: elu
regularization: {l2: 1e-4}
optimizer: {name: nadam, lr: 1e-3}
transfer: {stages: [{epochs: {updates: 200}, unfreeze: none}, {unfreeze: all}]}
training: {epochs: {updates: 1000}, evaluate_every: {updates: 500},
  checkpoint_every: {updates: 500}, seed: 7, threads: 1}
"""
    assert found == experiment_of(expected_text)
    assert (found.task, found.loss.name) == ("classification", "cross_entropy")


def test_counts_are_whole_numbers() -> None:
    assert counts_of("500,100,100") == (100, 500)
    for word in ("", "a", "100,", "1,100", "-5", "1e3"):
        with pytest.raises(ConfigError, match="numbers of labelled examples"):
            counts_of(word)


def test_each_number_of_labels_has_an_arm_with_and_one_without(tmp_path: Path) -> None:
    experiment = labelled(config_file(tmp_path, LESSON)).experiment
    arms = arms_of_labels(experiment, (20, 60))
    assert [(arm.name, arm.transferred, arm.x) for arm in arms] == [
        ("pretrained-20", True, 20),
        ("scratch-20", False, 20),
        ("pretrained-60", True, 60),
        ("scratch-60", False, 60),
    ]
    for arm in arms:
        few = arm.experiment.data.train_size
        assert few is not None
        assert (few.random, few.stratified) == (arm.x, True)
        assert arm.experiment.training.batch_size == min(arm.x or 0, 32)
        assert (arm.experiment.transfer is not None) is arm.transferred


def test_what_would_fail_later_fails_at_once(tmp_path: Path) -> None:
    lesson = config_file(tmp_path, LESSON)
    question = labelled(lesson)
    with pytest.raises(DataError, match="cannot keep 5000 of"):
        check_arms(question, arms_of_labels(question.experiment, (50, 5000)), expected(lesson))
    text = LESSON.replace("[12, 10]", "[13, 9]").replace("pretraining: autoencoder\n", "")
    text = text.replace("loss: mae\nmetrics: [mae]\n", "")
    other = config_file(tmp_path, text, name="other")
    with pytest.raises(NothingInCommon):
        check_arms(other, arms_of_labels(other.experiment, (50,)), expected(lesson))


def test_a_curve_draws_other_examples_with_each_seed_and_resumes_to_the_same_bits(
    tmp_path: Path,
) -> None:
    lesson = config_file(tmp_path, LESSON)
    question = labelled(lesson).experiment
    short = question.training.model_copy(
        update={"epochs": question.training.epochs.model_copy(update={"updates": 12})}
    )
    question = question.model_copy(update={"training": short})
    arms = arms_of_labels(question, (20, 40))
    asked = lesson.with_experiment(question)

    def study(name: str):  # type: ignore[no-untyped-def]
        origin = Origin.of(lesson, "kept")
        return begin(
            asked, "labels", origin, arms, seeds=2, runs=tmp_path / name, name="s", command=[]
        )

    whole = study("whole")
    result = whole.carry_on(follow)
    runs = whole.folder.runs
    about = {path.name: read_json(path / "data.json") for path in runs.iterdir()}
    fingerprints = {name: each["fingerprint"] for name, each in about.items()}
    # Pairs learn from the same examples, other seeds from others.
    assert fingerprints["pretrained-20-seed-7"] == fingerprints["scratch-20-seed-7"]
    assert len(set(fingerprints.values())) == 4
    assert about["scratch-40-seed-8"]["sizes"]["train"] == 40
    assert [(pair["one"], pair["other"]) for pair in result["differences"]] == [
        ("pretrained-20", "scratch-20"),
        ("pretrained-40", "scratch-40"),
    ]
    cut = study("cut")
    looks = 0

    def asked_to_stop() -> bool:
        nonlocal looks
        looks += 1
        return looks > 9

    with pytest.raises(Interrupted):
        cut.carry_on(follow, asked_to_stop)
    reopen(cut.folder.path).carry_on(follow)
    assert result_of(whole.folder.path) == result_of(cut.folder.path)
    for path in runs.iterdir():
        assert differences(path, cut.folder.runs / path.name) == []
