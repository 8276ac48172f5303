from __future__ import annotations

import pytest

from tests.support import DIGITS, experiment_of, made_up_data, refusal_of

START = "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"


def with_training(settings: str, more: str = "") -> str:
    return f"{START}training: {{{settings}}}\n{more}"


def test_the_plan_of_the_chapters_net() -> None:
    plan = experiment_of(with_training("epochs: 5")).plan(55_000)
    assert (plan.updates_per_epoch, plan.total_updates) == (1719, 8595)
    assert plan.evaluate_every == plan.checkpoint_every == 1719


@pytest.mark.parametrize(
    ("settings", "num_train", "per_epoch"),
    [
        ("batch_size: 32", 64, 2),
        ("batch_size: 32", 65, 3),
        ("batch_size: 32, last_batch: drop", 65, 2),
        ("batch_size: 64", 64, 1),
    ],
)
def test_updates_per_epoch(settings: str, num_train: int, per_epoch: int) -> None:
    assert experiment_of(with_training(settings)).plan(num_train).updates_per_epoch == per_epoch


def test_durations_become_updates_once() -> None:
    plan = experiment_of(
        with_training(
            "epochs: {updates: 500}, batch_size: 10, evaluate_every: {epochs: 0.5}",
            "regularization: {early_stopping: {patience: 2}}",
        )
    ).plan(100)
    assert (plan.total_updates, plan.evaluate_every, plan.patience) == (500, 5, 20)


def test_the_digest_is_that_of_all_settings() -> None:
    first = experiment_of(DIGITS)
    assert first.digest() == experiment_of(DIGITS + "activation: relu\n").digest()
    assert first.digest() != experiment_of(DIGITS + "activation: elu\n").digest()


def test_where_checkpoints_lie_is_part_of_the_digest_if_one_may_go_back_to_them() -> None:
    def digest(divergence: str, every: int) -> str:
        text = f"checkpoint_every: {{updates: {every}}}, divergence: {divergence}"
        return experiment_of(with_training(text)).digest()

    assert digest("stop", 3) == digest("stop", 4) == experiment_of(START).digest()
    assert digest("{rollback: {}}", 3) != digest("{rollback: {}}", 4)


def test_the_network_is_built_for_the_data() -> None:
    network = experiment_of(START).network(made_up_data(features=7, classes=3).signature)
    assert network.num_trainable == 7 * 4 + 4 + 4 * 3 + 3


def test_settings_without_a_name_change_the_default_choice() -> None:
    start = "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"
    found = experiment_of(start + "optimizer: {lr: 0.5}\n").optimizer
    assert (found.name, found.lr) == ("sgd", 0.5)
    (sentence,) = refusal_of(start + "optimizer: {beta1: 0.5}\n")
    assert sentence.startswith("3:1 optimizer needs a name: one of sgd, ")


def test_a_layer_has_no_settings_of_the_whole_net() -> None:
    start = "data: digits\narchitecture: {name: mlp, hidden: [{units: 4, %s}]}\n"
    assert "belongs to the top-level normalization" in "".join(
        refusal_of(start % "normalization: {name: batch, input: true}")
    )
    assert "stands after that layer" in "".join(
        refusal_of(start % "dropout: {rate: 0.1, where: input}")
    )
    experiment_of(start % "dropout: {rate: 0.1, where: all}")
