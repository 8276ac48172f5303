"""Every random number is a function of (seed, purpose, counters). No stream is ever saved.

A stream of random numbers would have to be stored to resume exactly, and anything that draws from
it (an evaluation, a picture) would change the training. Here each use derives a fresh 64-bit key
and seeds a generator with it: the mask of update 812 is the same whatever happened before it.
"""

from __future__ import annotations

import hashlib
from typing import Literal

Purpose = Literal["initial", "order", "dropout", "split", "augment", "made", "lesson", "exam"]
"""What a random number is for. Two purposes never share a key."""


def key(seed: int, purpose: Purpose, *counters: int | str) -> int:
    """Derives the 64-bit key of one use, uniformly spread (BLAKE2b of the words, 1.3 µs).

    >>> key(42, "order", 0) == key(42, "order", 0)
    True
    >>> key(42, "order", 0) == key(42, "order", 1)
    False
    """
    words = "/".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "little")
