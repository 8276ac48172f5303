from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dnnlab.choices.activations import Activation
from dnnlab.choices.activations.rectified import (
    LeakyRelu,
    ParametricRelu,
    RandomizedRelu,
    Relu,
    ThresholdedRelu,
)
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.initializers.scaling import HeNormal
from tests.support import DIGITS, experiment_of, made_up_data, refusal_of, session_of

Z = torch.linspace(-4, 4, 33, dtype=torch.float64)[None].repeat(2, 1)  # (B, units); has 0 and 1


def test_relu() -> None:
    torch.testing.assert_close(Relu().build(33)(Z), torch.where(Z > 0, Z, 0.0))


def test_leaky_relu() -> None:
    assert LeakyRelu().slope == 0.01
    torch.testing.assert_close(LeakyRelu(slope=0.2).build(33)(Z), torch.where(Z > 0, Z, 0.2 * Z))


def test_rrelu() -> None:
    module = RandomizedRelu().build(33)
    mean = (1 / 8 + 1 / 3) / 2
    torch.testing.assert_close(module.eval()(Z), torch.where(Z > 0, Z, mean * Z))
    assert not torch.equal(module.train()(Z), module(Z))


def test_limits_of_rrelu_the_wrong_way_round_are_refused() -> None:
    (sentence,) = refusal_of(f"{DIGITS}activation: {{name: rrelu, lower: 0.5}}\n")
    assert "activation: lower, 0.5, is more than upper, 0.333333" in sentence


def test_thresholded_relu() -> None:
    torch.testing.assert_close(ThresholdedRelu().build(33)(Z), torch.where(Z > 1, Z, 0.0))
    torch.testing.assert_close(ThresholdedRelu(theta=2.0).build(33)(Z), torch.where(Z > 2, Z, 0.0))


def test_prelu_has_a_slope_per_layer_or_per_unit() -> None:
    one, each = ParametricRelu(), ParametricRelu(slopes="per_unit", start=0.0)
    assert [p.shape for p in one.build(7).parameters()] == [(1,)]
    assert [p.shape for p in each.build(7).parameters()] == [(7,)]
    module = each.build(3)
    with torch.no_grad():
        next(module.parameters()).copy_(torch.tensor([0.0, 0.5, 1.0]))
    for z in (-torch.ones(2, 3), -torch.ones(2, 3, 4, 5)):
        per_unit = module(z).flatten(2).mean((0, 2)) if z.ndim == 4 else module(z).mean(0)
        assert per_unit.tolist() == [0.0, -0.5, -1.0]


def test_torchs_prelu_has_one_slope_that_begins_at_a_quarter() -> None:
    (slope,) = torch.nn.PReLU().parameters()
    assert slope.tolist() == [0.25]
    assert ParametricRelu().start == 0.25


PRELU = """
data: digits
architecture: {name: mlp, hidden: [6, 5]}
activation: {name: prelu, slopes: per_unit, start: 0.1}
optimizer: {name: sgd, lr: 0.1}
training: {epochs: {updates: 2}, batch_size: 10, threads: 1}
"""


def test_the_slopes_of_prelu_are_learned_and_not_regularized(tmp_path: Path) -> None:
    """The first update moves them to the same bit, whatever is done to the kernels."""
    after = []
    for extra in ("", "regularization: {l1: 100.0, l2: 100.0, max_norm: 1.0e-6}\n"):
        session = session_of(PRELU + extra, made_up_data(), folder=tmp_path)
        before = session.state.copy_of_network()["prelu1.weight"]
        assert before.tolist() == pytest.approx([0.1] * 6)
        session.engine.advance(1)
        after.append(session.state.network_tensors())
        assert not torch.equal(after[-1]["prelu1.weight"], before)
    free, regularized = after
    assert torch.equal(free["prelu1.weight"], regularized["prelu1.weight"])
    assert not torch.equal(free["dense1.weight"], regularized["dense1.weight"])


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [
        (Relu(), HeNormal()),
        (LeakyRelu(), HeNormal(slope=0.01)),
        (LeakyRelu(slope=0.3), HeNormal(slope=0.3)),
        (ParametricRelu(), HeNormal(slope=0.25)),
        (RandomizedRelu(lower=0.2, upper=0.2), HeNormal(slope=math.sqrt(3 * 0.04 / 3))),
        (ThresholdedRelu(), HeNormal()),
    ],
    ids=lambda each: each.name,
)
def test_the_initializer_that_suits(activation: Activation, initializer: Initializer) -> None:
    assert activation.initializer() == initializer
    assert not activation.saturates


def test_the_initializer_of_rrelu_is_for_its_mean_squared_slope() -> None:
    """E[u²] of u uniform on (0, 1) is 1/3."""
    found = RandomizedRelu(lower=0.0, upper=1.0).initializer()
    assert isinstance(found, HeNormal)
    assert found.slope == pytest.approx(math.sqrt(1 / 3))


def test_auto_takes_the_slope_of_the_layers_own_activation() -> None:
    experiment = experiment_of(
        "data: digits\n"
        "architecture: {name: mlp, hidden: [8, {units: 8, activation: {name: prelu, start: 0.1}}"
        "]}\n"
        "activation: {name: leaky_relu, slope: 0.3}\n"
    )
    found = [layer.initializer for layer in experiment.layers()]
    assert found == [HeNormal(slope=0.3), HeNormal(slope=0.1)]
