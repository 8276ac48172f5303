from __future__ import annotations

from pathlib import Path

import pytest

from dnnlab.choices.divergence import Divergence, Rollback
from dnnlab.config.write import to_yaml
from tests.support import config_file, experiment_of, refusal_of

CONFIG = "data: digits\narchitecture: {name: mlp, hidden: [4]}\ntraining: {divergence: %s}\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("stop", Divergence()),
        ("{then: stop}", Divergence()),
        ("{skip: 1}", Divergence(skip=1)),
        ("{skip: 1, rollback: null, then: stop}", Divergence(skip=1)),
        ("{rollback: {}}", Divergence(rollback=Rollback(lr_factor=0.5, max=3))),
        ("{rollback: {lr_factor: 0.1}}", Divergence(rollback=Rollback(lr_factor=0.1, max=3))),
        ("{rollback: {max: 1}}", Divergence(rollback=Rollback(lr_factor=0.5, max=1))),
    ],
)
def test_what_can_be_written(written: str, expected: Divergence) -> None:
    assert experiment_of(CONFIG % written).training.divergence == expected


def test_it_stops_unless_something_else_is_written() -> None:
    plain = experiment_of(CONFIG.partition("training")[0])
    assert plain.training.divergence == Divergence(skip=None, rollback=None, then="stop")


@pytest.mark.parametrize("option", ["divergence={skip: 2}", "divergence.skip=2"])
def test_the_config_that_a_run_keeps_can_be_changed_by_an_option(
    option: str, tmp_path: Path
) -> None:
    kept = to_yaml(experiment_of(CONFIG % "stop"))
    assert "divergence: {then: stop}" in kept
    changed = config_file(tmp_path, kept, f"training.{option}").experiment
    assert changed.training.divergence == Divergence(skip=2)


@pytest.mark.parametrize(
    ("written", "refused"),
    [
        ("rollback", 'divergence: "rollback" is not stop, {skip: 10} or {rollback: {'),
        ("3", "divergence: 3 is not stop, {skip: 10} or {rollback: {"),
        ("true", "divergence: true is not stop, {skip: 10} or {rollback: {"),
        ("{then: skip}", 'divergence.then: "skip" is not stop, {skip: 10} or {rollback: {'),
        ("{skip: 1, rollback: {}}", "divergence: give skip or rollback; the other is null"),
        ("{skip: 0}", "divergence.skip: 0 is not at least 1"),
        ("{rollback: {lr_factor: 0}}", "lr_factor: 0 is not greater than 0"),
        ("{rollback: {lr_factor: 1}}", "lr_factor: 1 is not less than 1"),
        ("{rollback: {max: 0}}", "max: 0 is not at least 1"),
        ("{rolback: {}}", "unknown key 'rolback' in training.divergence; did you mean 'rollback'?"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(written: str, refused: str) -> None:
    (sentence,) = refusal_of(CONFIG % written)
    assert refused in sentence
