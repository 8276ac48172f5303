from __future__ import annotations

import torch

from dnnlab.choices.datasets import Signature
from tests.support import experiment_of, refusal_of

START = "data: diabetes\narchitecture: {name: wide_and_deep, %s}\n"
TABLE = Signature((10,), 1, "regression")


def test_the_output_sees_the_wide_columns_and_the_last_layer() -> None:
    network = experiment_of(START % "hidden: [7, 5], wide: [0, 1, 2], deep: [2, 3, 4, 5]").network(
        TABLE
    )
    deep = (4 * 7 + 7) + (7 * 5 + 5)
    assert network.num_trainable == deep + (3 + 5 + 1)
    assert network.module(torch.empty(3, 10, device="meta")).shape == (3, 1)
    assert {kernel.name for kernel in network.kernels} == {
        "ways.deep.dense1.weight",
        "ways.deep.dense2.weight",
        "output.weight",
    }


def test_without_columns_both_ways_take_all_inputs() -> None:
    network = experiment_of(START % "hidden: [7]").network(TABLE)
    assert network.num_trainable == (10 * 7 + 7) + (10 + 7 + 1)


def test_columns_that_are_not_there_are_refused() -> None:
    assert refusal_of(START % "hidden: [7], wide: [0, 10]") == [
        "2:56 architecture.wide: there is no input 10: an example has 10, from 0"
    ]
