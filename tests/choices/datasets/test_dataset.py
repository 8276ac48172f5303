from __future__ import annotations

import numpy as np
import pytest

from dnnlab.choices.datasets import Examples, Holdout
from dnnlab.errors import DataError


def examples(count: int = 100) -> Examples:
    return Examples(np.arange(count, dtype="float32")[:, None], np.arange(count))


def test_the_first_n_are_held_out_in_their_order() -> None:
    rest, held = Holdout(first=30).divide(examples(), "validation")
    assert held.targets.tolist() == list(range(30))
    assert rest.targets.tolist() == list(range(30, 100))


@pytest.mark.parametrize("holdout", [Holdout(random=25), Holdout(fraction=0.25)])
def test_a_random_part_is_held_out_and_no_example_twice(holdout: Holdout) -> None:
    rest, held = holdout.divide(examples(), "validation")
    assert len(held) == 25
    assert sorted([*rest.targets, *held.targets]) == list(range(100))
    assert held.targets.tolist() != list(range(25))
    assert (held.inputs[:, 0] == held.targets).all()


def test_the_draw_depends_on_its_seed_and_purpose_alone() -> None:
    def drawn(purpose: str, seed: int) -> list[int]:
        held = Holdout(random=10, seed=seed).divide(examples(), purpose)[1]
        return list(held.targets)

    assert drawn("test", 0) == drawn("test", 0)
    assert drawn("test", 0) != drawn("test", 1)
    assert drawn("test", 0) != drawn("validation", 0)


@pytest.mark.parametrize(
    "holdout", [Holdout(first=100), Holdout(random=101), Holdout(fraction=1e-9)]
)
def test_neither_side_may_be_empty(holdout: Holdout) -> None:
    with pytest.raises(DataError, match=r"validation cannot hold out \d+ of 100 examples"):
        holdout.divide(examples(), "validation")
