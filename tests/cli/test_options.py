from __future__ import annotations

from dnnlab.cli.options import with_shortcuts


def test_shortcuts_are_the_settings_they_stand_for() -> None:
    assert with_shortcuts([], None, None) == []
    assert with_shortcuts(["a=1"], 7, "cpu") == ["a=1", "training.seed=7", "training.device=cpu"]


def test_a_seed_of_zero_counts() -> None:
    assert with_shortcuts([], 0, None) == ["training.seed=0"]
