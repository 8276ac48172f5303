from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dnnlab.training import identical
from dnnlab.training.identical import numbered

TYPES = st.sampled_from(["uint8", "int16", "float16", "float32", "float64"])


@st.composite
def arrays(draw: st.DrawFn) -> list[np.ndarray]:
    """A few arrays of small numbers, so that many rows are identical."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, max_side=5))
    return [
        draw(hnp.arrays(draw(TYPES), (draw(st.integers(0, 8)), *shape), elements=st.integers(0, 1)))
        for _ in range(draw(st.integers(1, 3)))
    ]


@given(arrays())
def test_rows_have_one_number_exactly_if_they_are_identical(given_arrays: list[np.ndarray]) -> None:
    """As comparing each with each says."""
    numbers = numbered(given_arrays)
    assert [len(each) for each in numbers] == [len(each) for each in given_arrays]
    rows = [row for array in given_arrays for row in array]
    flat = [int(number) for each in numbers for number in each]
    for row, number in zip(rows, flat, strict=True):
        for other, its_number in zip(rows, flat, strict=True):
            assert (number == its_number) == np.array_equal(row, other)
    assert sorted(set(flat)) == list(range(len(set(flat))))


def test_values_are_compared_and_not_bytes() -> None:
    (ints,) = numbered([np.array([[0, 7]], dtype="uint8")])
    both, floats = numbered([np.array([[0, 7]], dtype="uint8"), np.array([[-0.0, 7.0], [0, 7.5]])])
    assert ints.tolist() == [0]
    assert floats[0] == both[0] != floats[1]


def test_what_is_missing_is_like_what_is_missing() -> None:
    (numbers,) = numbered([np.array([[1, np.nan], [1, np.nan], [np.nan, 1]])])
    assert numbers[0] == numbers[1] != numbers[2]


@pytest.mark.parametrize("at_once", [1, 50, 2**20])
def test_however_many_rows_are_worked_on_at_once(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identical, "BYTES_AT_ONCE", at_once)
    inputs = np.random.default_rng(0).normal(size=(40, 3))
    numbers, again = numbered([inputs, inputs[::-1]])
    assert len(set(numbers.tolist())) == 40
    assert again[::-1].tolist() == numbers.tolist()


def test_two_rows_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another hash: the first one here is that of every row."""
    honest, asked = identical._Rows.hashes, []

    def poor(self: identical._Rows, seed: int) -> np.ndarray:
        asked.append(seed)
        return honest(self, seed) * np.uint64(seed)

    monkeypatch.setattr(identical._Rows, "hashes", poor)
    (numbers,) = numbered([np.array([[1.0], [2.0], [1.0]])])
    assert numbers[0] == numbers[2] != numbers[1]
    assert asked == [0, 1]


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_hashes_of_small_numbers_differ(dtype: str) -> None:
    """These leave most bits of a word empty; that two of 4,096 meet in 64 bits has odds of 1e-12,
    in the lower 32 of 1e-3. A hash that loses what is in the upper bits makes them meet at once.
    """
    grid = np.stack(np.meshgrid(*[np.arange(8)] * 4), axis=-1).reshape(-1, 4).astype(dtype)
    hashes = np.sort(identical._Rows([grid]).hashes(0))
    assert all(left != right for left, right in pairwise(hashes.tolist()))
