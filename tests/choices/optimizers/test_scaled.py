from __future__ import annotations

import torch

from dnnlab.choices.optimizers.scaled import AdaDelta, AdaGrad, RmsProp


def test_memory() -> None:
    weights = torch.ones(5, dtype=torch.float64)
    begun = AdaGrad(initial_accumulator=0.25, eps=0.125).slots(weights)
    assert begun["squares"].tolist() == [0.375] * 5
    assert {k: v.sum() for k, v in AdaDelta().slots(weights).items()} == {"square": 0, "change": 0}
    assert list(RmsProp().slots(weights)) == ["square"]
    assert list(RmsProp(momentum=0.5).slots(weights)) == ["square", "velocity"]


def test_the_momentum_that_a_schedule_may_cycle() -> None:
    assert AdaGrad().own_momentum is None
    assert AdaDelta().own_momentum is None
    assert RmsProp().own_momentum is None
    assert RmsProp(momentum=0.9).own_momentum == 0.9


def test_defaults_are_kerass_but_for_adadeltas_rate_which_is_the_papers() -> None:
    grad, delta, prop = AdaGrad(), AdaDelta(), RmsProp()
    assert (grad.lr, grad.initial_accumulator, grad.eps) == (1e-3, 0.1, 1e-7)
    assert (delta.lr, delta.rho, delta.eps) == (1.0, 0.95, 1e-7)
    assert (prop.lr, prop.rho, prop.momentum, prop.eps) == (1e-3, 0.9, 0.0, 1e-7)


def test_all_of_them_rescale() -> None:
    assert all(each.rescales for each in (AdaGrad, AdaDelta, RmsProp))
