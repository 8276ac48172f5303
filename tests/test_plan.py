from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dnnlab.choices.schedules import Span
from dnnlab.plan import Plan


def plan(num_train: int = 10, batch_size: int = 4, total: int = 9, every: int = 2) -> Plan:
    per_epoch = -(-num_train // batch_size)
    return Plan(num_train, batch_size, per_epoch, total, Span(total, per_epoch), every, 3, None)


def test_the_last_two_checkpoints_that_were_due() -> None:
    found = plan(total=9, every=2)  # of which one is written every 3 updates
    assert [found.last_saves(step) for step in (0, 2, 3, 5, 6, 8)] == [
        (0, 0),
        (0, 0),
        (3, 0),
        (3, 0),
        (6, 3),
        (6, 3),
    ]


def test_which_rows_an_update_takes() -> None:
    assert [plan().batch(update) for update in range(4)] == [
        (0, 0, 4),
        (0, 4, 8),
        (0, 8, 10),
        (1, 0, 4),
    ]


def test_boundaries() -> None:
    it = plan()
    steps, step = [], 0
    while step < it.total_updates:
        step = it.next_boundary(step)
        steps.append(step)
    assert steps == [2, 3, 4, 6, 8, 9]
    assert [s for s in range(10) if it.evaluates_at(s)] == [2, 4, 6, 8, 9]
    assert [s for s in range(10) if it.saves_at(s)] == [3, 6, 9]


def test_epochs() -> None:
    it = plan()
    assert [it.epoch_of(step) for step in (0, 1, 3, 4, 9)] == [0, 0.3333, 1, 1.3333, 3]


@given(num_train=st.integers(1, 200), batch=st.integers(1, 50))
def test_an_epoch_takes_every_example_once(num_train: int, batch: int) -> None:
    it = plan(num_train, batch)
    rows: list[int] = []
    for update in range(it.updates_per_epoch):
        epoch, start, stop = it.batch(update)
        assert epoch == 0
        rows += range(start, stop)
    assert rows == list(range(num_train))
