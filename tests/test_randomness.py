from __future__ import annotations

import numpy as np

from dnnlab.randomness import key


def test_a_key_depends_on_every_part() -> None:
    keys = {
        key(seed, purpose, counter)
        for seed in (0, 1)
        for purpose in ("order", "dropout")
        for counter in range(3)
    }
    assert len(keys) == 12


def test_parts_cannot_be_confused() -> None:
    assert key(1, "order", 23) != key(12, "order", 3)
    assert key(1, "order", 2, 3) != key(1, "order", 23)


def test_keys_are_spread_over_64_bits() -> None:
    """Each of the 64 bits is set in half of 4,000 keys; 5 standard deviations are 0.04."""
    keys = [key(42, "dropout", update) for update in range(4000)]
    assert all(0 <= each < 2**64 for each in keys)
    bits = np.array([[each >> bit & 1 for bit in range(64)] for each in keys])
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.04
