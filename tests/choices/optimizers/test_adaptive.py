from __future__ import annotations

import pytest
import torch

from dnnlab.choices.optimizers.adaptive import Adam, AdaMax, AdamW, Nadam, RAdam

KIN = [Adam, AdaMax, Nadam, AdamW, RAdam]
Kind = type[Adam] | type[AdaMax] | type[Nadam] | type[AdamW] | type[RAdam]


@pytest.mark.parametrize("kind", KIN)
def test_memory_begins_at_nothing(kind: Kind) -> None:
    slots = kind().slots(torch.ones(5, dtype=torch.float64))
    size = "largest" if kind is AdaMax else "square"
    assert list(slots) == ["mean", size, "momentum_product"]
    assert slots["mean"].tolist() == slots[size].tolist() == [0.0] * 5
    assert slots["momentum_product"].item() == 1.0


@pytest.mark.parametrize("kind", KIN)
def test_the_momentum_that_a_schedule_may_cycle_is_beta1(kind: Kind) -> None:
    assert kind(beta1=0.8).own_momentum == 0.8
    assert kind(beta1=0).own_momentum is None


@pytest.mark.parametrize("kind", KIN)
def test_defaults_are_the_chapters(kind: Kind) -> None:
    chosen = kind()
    assert (chosen.lr, chosen.beta1, chosen.beta2) == (1e-3, 0.9, 0.999)
    assert chosen.eps == 1e-7
    assert chosen.rescales


def test_defaults_of_some() -> None:
    assert Nadam().momentum_decay == 0.004
    assert (AdamW().decay, RAdam().decay, Adam().decay) == (0.004, 0.0, 0.0)
