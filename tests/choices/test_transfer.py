from __future__ import annotations

import pytest

from dnnlab.choices.transfer import Transfer
from tests.support import experiment_of, refusal_of

START = "data: digits\narchitecture: {name: mlp, hidden: [4, 3]}\n"


def section(text: str) -> Transfer:
    transfer = experiment_of(f"{START}transfer: {text}\n").transfer
    assert transfer is not None
    return transfer


def test_one_word_stands_for_what_one_mostly_says() -> None:
    short = section("{reuse: 2, stages: [{epochs: 4, unfreeze: none}, {unfreeze: all}]}")
    long = section(
        "{reuse: {first: 2}, stages: [{epochs: {epochs: 4}, unfreeze: {which: none}}, "
        "{unfreeze: {which: all}}]}"
    )
    assert short == long
    assert section("{}").stages == short.stages
    assert section("{reuse: auto}") == section("{}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{reuse: -1}", "transfer.reuse: -1 is not auto or at least 0"),
        ("{reuse: {first: 2, layers: [dense1]}}", "give first or layers, not both"),
        ("{reuse: {layers: []}}", "transfer.reuse.layers"),
        ("{stages: []}", "transfer.stages: 1 or more are expected"),
        ("{stages: [{unfreeze: all}, {epochs: 1}]}", "stage 1 has no epochs, and others follow it"),
        ("{stages: [{unfreeze: {top: 1, layers: [dense1]}}]}", "give one of none, all, {top: k}"),
        ("{stages: [{unfreeze: {}}]}", "give one of none, all, {top: k}"),
        ("{stages: [{unfreeze: some}]}", "transfer.stages[0].unfreeze"),
        ("{stages: [{lr_factor: 0}]}", "lr_factor"),
        ("{lr_decay: 1.5}", "transfer.lr_decay"),
        ("{resize_to: [8, 8]}", "resize_to is for inputs: resize"),
        ("{inputs: resize, resize_to: [8]}", "give height and width"),
        ("{freeze: all}", "unknown key"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(text: str, words: str) -> None:
    (problem,) = refusal_of(f"{START}transfer: {text}\n")
    assert problem.startswith("3:")
    assert words in problem
