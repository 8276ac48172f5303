from __future__ import annotations

import torch

from dnnlab.choices.schedules import Span
from dnnlab.plan import Plan
from dnnlab.training.order import Order

CPU = torch.device("cpu")


def order(seed: int = 1) -> Order:
    return Order(Plan(10, 4, 3, 9, Span(9, 3), 3, 3, None), seed, CPU)


def test_an_epoch_is_a_permutation_and_each_epoch_another() -> None:
    it = order()
    epochs = [torch.cat([it.rows(3 * e + i) for i in range(3)]).tolist() for e in range(3)]
    assert all(sorted(rows) == list(range(10)) for rows in epochs)
    assert len({tuple(rows) for rows in epochs}) == 3


def test_rows_do_not_depend_on_what_was_asked_before() -> None:
    forward, backward = order(), order()
    first = [forward.rows(update).tolist() for update in range(9)]
    second = [backward.rows(update).tolist() for update in reversed(range(9))]
    assert first == second[::-1]
    assert order(2).rows(0).tolist() != first[0]
