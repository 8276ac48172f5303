from __future__ import annotations

import time

import pytest

from dnnlab.contradictions import contradictions_with_data
from tests.support import experiment_of, made_up_data, refusal_of

START = "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"


def with_training(settings: str, more: str = "") -> str:
    return f"{START}training: {{{settings}}}\n{more}"


@pytest.mark.parametrize(
    ("text", "num_train", "expected"),
    [
        (with_training("batch_size: 64"), 50, ["training.batch_size 64 is more than the 50"]),
        (
            with_training("batch_size: 7", "normalization: batch"),
            50,
            ["training.batch_size 7 leaves a last batch of 1 of 50 examples"],
        ),
        (with_training("batch_size: 1", "normalization: batch"), 50, ["training.batch_size 1: "]),
        (
            with_training("batch_size: 1", "normalization: batch").replace(
                "[4]", "[{units: 4, normalization: none}]"
            ),
            50,
            [],
        ),
        (with_training("batch_size: 7"), 50, []),
        (with_training("batch_size: 7, last_batch: drop", "normalization: batch"), 50, []),
        (with_training("batch_size: 8", "normalization: batch"), 50, []),
    ],
)
def test_what_the_size_of_the_data_excludes(text: str, num_train: int, expected: list[str]) -> None:
    findings = contradictions_with_data(experiment_of(text), made_up_data().signature, num_train, 5)
    said = [f"{'.'.join(map(str, f.path))} {f.message}" for f in findings]
    assert len(said) == len(expected)
    assert all(text.startswith(start) for text, start in zip(said, expected, strict=True))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("loss: mse", "3:7 loss: mse is for regression, but data are for classification"),
        ("metrics: [r2]", "3:11 metrics[0]: r2 is for regression, but data are for classification"),
        ("data: {name: digits, classes: [1, 12]}",
         "3:31 data.classes: no class is called '12'"),
        ("data: {name: digits, positive: cat}",
         "3:32 data.positive: no class is called 'cat'"),
        ("metrics: [accuracy, accuracy]", "3:21 metrics[1]: accuracy is named twice"),
        ("training: {monitor: f1}", "3:21 training.monitor: f1 is not measured; this experiment "
         "measures accuracy, loss"),
        ("optimizer: {nesterov: true}", "3:23 optimizer.nesterov: needs a momentum above 0, such "
         "as optimizer.momentum: 0.9"),
    ],
)  # fmt: skip
def test_what_settings_exclude_of_each_other(more: str, expected: str) -> None:
    start = START.replace("data: digits\n", "\n" if more.startswith("data") else "data: digits\n")
    (sentence,) = refusal_of(start + more + "\n")
    assert sentence.startswith(expected)


def test_very_many_metrics_are_compared_soon() -> None:
    started = time.process_time()
    found = refusal_of(f"{START}metrics: [{'accuracy, ' * 4000}]\n")
    assert len(found) == 3999
    assert found[0] == "3:21 metrics[1]: accuracy is named twice"
    assert time.process_time() - started < 1  # 0.05 where nothing else runs
