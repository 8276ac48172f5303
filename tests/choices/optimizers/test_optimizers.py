from __future__ import annotations

import torch

from dnnlab.choices.optimizers.adaptive import Nadam
from dnnlab.choices.optimizers.descent import Sgd


def test_memory_begins_at_nothing() -> None:
    weights = torch.ones(5, dtype=torch.float64)
    assert Sgd().slots(weights) == {}
    assert Sgd(momentum=0.9).slots(weights)["velocity"].tolist() == [0.0] * 5
    slots = Nadam().slots(weights)
    assert slots["mean"].dtype == torch.float64
    assert slots["momentum_product"].item() == 1.0


def test_the_momentum_that_a_schedule_may_cycle() -> None:
    assert Sgd().own_momentum is None
    assert Sgd(momentum=0.9).own_momentum == 0.9
    assert Nadam(beta1=0.8).own_momentum == 0.8


def test_defaults_are_the_chapters() -> None:
    assert (Sgd().lr, Sgd().momentum, Sgd().nesterov) == (0.01, 0.0, False)
    assert (Nadam().lr, Nadam().beta1, Nadam().beta2, Nadam().eps) == (1e-3, 0.9, 0.999, 1e-7)
