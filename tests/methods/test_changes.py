from __future__ import annotations

import pytest

from dnnlab.methods.changes import Change, Kind, changes
from tests.support import DIGITS, experiment_of


def test_nothing_differs_between_the_same() -> None:
    assert changes(experiment_of(DIGITS), experiment_of(DIGITS)) == []


def test_differences_are_named_setting_by_setting() -> None:
    now = experiment_of(
        DIGITS.replace("batch_size: 64", "batch_size: 32") + "optimizer: {name: sgd, lr: 0.5}\n"
    )
    found = {
        change.key: (change.before, change.now) for change in changes(experiment_of(DIGITS), now)
    }
    assert found == {"training.batch_size": (64, 32), "optimizer.lr": (0.01, 0.5)}


def test_another_choice_is_one_difference() -> None:
    now = experiment_of(DIGITS + "optimizer: {name: nadam, lr: 0.5}\n")
    assert [str(change) for change in changes(experiment_of(DIGITS), now)] == [
        'optimizer.name: "sgd" -> "nadam"'
    ]


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("training.threads", "free"),
        ("data.folder", "free"),
        ("data.classes", "never"),
        ("optimizer.name", "never"),
        ("optimizer.lr", "accept"),
        ("activation.alpha", "never"),
        ("pretraining.mask", "never"),
        ("regularization.dropout.rate", "accept"),
        ("training.epochs.updates", "free"),
    ],
)
def test_the_kind_of_a_change(key: str, kind: Kind) -> None:
    assert Change(tuple(key.split(".")), 1, 2).kind == kind


def test_long_values_are_cut() -> None:
    change = Change(("architecture", "hidden"), list(range(100)), None)
    assert len(str(change)) < 100


def test_where_a_training_goes_back_to_its_checkpoints_they_matter() -> None:
    text = DIGITS.replace("threads: 1", "threads: 1, checkpoint_every: {every}, divergence: {then}")
    for then, kind in (("stop", "free"), ("{rollback: {}}", "accept")):
        one, other = (
            experiment_of(text.replace("{every}", every).replace("{then}", then))
            for every in ("1", "2")
        )
        assert [change.kind for change in changes(one, other)] == [kind]
