"""Which rows of some arrays are identical, without comparing each with each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

ATTEMPTS = 20
"""To find a hash that tells all rows apart: nearly always the first does."""
BYTES_AT_ONCE = 2**20
"""Of the rows that are worked on: they stay in the processor's cache."""
HALF = np.uint64(32)
MIXER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: an odd number whose bits have no pattern."""


def numbered(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Gives every row a number; two rows have the same one exactly if they are identical.

    The arrays, (N, ...) each, differ in nothing but N and type. Values are compared, not bytes: a 3
    is a 3 in any type, and 0 is -0. Returns the numbers of each array's rows, (N,), from 0.
    """
    rows = _Rows(arrays)
    for seed in range(ATTEMPTS):
        hashes = rows.hashes(seed)
        order = np.argsort(hashes)
        same = hashes[order][1:] == hashes[order][:-1]
        candidates = np.flatnonzero(same)
        if rows.equal(order[candidates], order[candidates + 1]):
            break  # else two different rows have one hash, which is as good as impossible
    else:
        raise AssertionError(f"{ATTEMPTS} hashes do not tell rows apart")
    numbers = np.empty(rows.total, dtype="int64")
    numbers[order] = np.concatenate([[0], np.cumsum(~same)])[: rows.total]
    return np.split(numbers, rows.starts[1:])


class _Rows:
    """The rows of all arrays, one after the other, as words of 64 bits."""

    def __init__(self, arrays: Sequence[np.ndarray]) -> None:
        features = math.prod(arrays[0].shape[1:])
        self._arrays = [array.reshape(len(array), features) for array in arrays]
        self._dtype = np.result_type(*arrays)
        lengths = [len(array) for array in arrays]
        self.starts = np.cumsum([0, *lengths[:-1]])
        self.total = sum(lengths)
        width = features * self._dtype.itemsize
        self._padding = -width % 8
        self._num_words = (width + self._padding) // 8
        self._at_once = max(1, BYTES_AT_ONCE // max(1, width))

    def hashes(self, seed: int) -> np.ndarray:
        """Returns a number of 64 bits for each row: a sum of its words, each times a random one.

        Small numbers leave the lower bits of their words empty, and a product passes nothing down:
        so each word is mixed before, and its upper half folded into the lower one.
        """
        factors = np.random.default_rng(seed).integers(0, 2**64, self._num_words, dtype="uint64")
        factors |= np.uint64(1)
        parts = [np.empty(0, dtype="uint64")]
        for array in self._arrays:
            for first in range(0, len(array), self._at_once):
                words = self._words(array[first : first + self._at_once]) * MIXER
                parts.append((words ^ (words >> HALF)) @ factors)
        return np.concatenate(parts)

    def equal(self, left: np.ndarray, right: np.ndarray) -> bool:
        """Whether each row of `left` is identical with that of `right`; both name rows, (K,)."""
        parts = [slice(i, i + self._at_once) for i in range(0, len(left), self._at_once)]
        return all(np.array_equal(self._take(left[i]), self._take(right[i])) for i in parts)

    def _take(self, rows: np.ndarray) -> np.ndarray:
        taken = np.empty((len(rows), self._num_words), dtype="uint64")
        for array, start in zip(self._arrays, self.starts, strict=True):
            here = (rows >= start) & (rows < start + len(array))
            taken[here] = self._words(array[rows[here] - start])
        return taken

    def _words(self, part: np.ndarray) -> np.ndarray:
        values = np.ascontiguousarray(part, dtype=self._dtype)
        if values.dtype.kind == "f":
            values = values + self._dtype.type(0)  # -0 becomes 0
        raw = values.view("uint8")
        if self._padding:
            raw = np.pad(raw, ((0, 0), (0, self._padding)))
        return raw.view("uint64")
