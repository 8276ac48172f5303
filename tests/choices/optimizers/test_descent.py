from __future__ import annotations

import torch

from dnnlab.choices.optimizers.descent import Lion, Sgd


def test_memory_begins_at_nothing() -> None:
    weights = torch.ones(5, dtype=torch.float64)
    assert Sgd().slots(weights) == {}
    assert Sgd(momentum=0.9).slots(weights)["velocity"].tolist() == [0.0] * 5
    assert Lion().slots(weights)["mean"].tolist() == [0.0] * 5


def test_the_momentum_that_a_schedule_may_cycle() -> None:
    assert Sgd().own_momentum is None
    assert Sgd(momentum=0.9).own_momentum == 0.9
    assert Lion(beta1=0.8).own_momentum == 0.8
    assert Lion(beta1=0).own_momentum is None


def test_defaults() -> None:
    """sgd's are the chapter's, lion's those of its authors' program."""
    assert (Sgd().lr, Sgd().momentum, Sgd().nesterov, Sgd().decay) == (0.01, 0.0, False, 0.0)
    assert (Lion().lr, Lion().beta1, Lion().beta2, Lion().decay) == (1e-4, 0.9, 0.99, 0.0)


def test_nesterovs_first_step_is_longer_by_the_momentum() -> None:
    """m = -lr g, and w moves by momentum * m - lr g, that is (1 + momentum) times as far."""
    moved = []
    for nesterov in (False, True):
        chosen = Sgd(momentum=0.9, nesterov=nesterov)
        weights = torch.zeros(1, dtype=torch.float64)
        slots = {name: [slot] for name, slot in chosen.slots(weights).items()}
        chosen.build()([weights], [torch.ones_like(weights)], slots, lr=1.0, momentum=0.9, step=0)
        moved.append(weights.item())
    assert moved == [-1.0, -1.9]


def test_lion_rescales_and_gradient_descent_does_not() -> None:
    assert (Sgd.rescales, Lion.rescales) == (False, True)
