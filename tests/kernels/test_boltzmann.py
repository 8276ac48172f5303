"""V visible units, H hidden ones, B examples; numbers are float64."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from dnnlab.kernels.blocks import Transposed
from dnnlab.kernels.boltzmann import Machine, contrastive_divergence, stacked
from dnnlab.kernels.network import Kernel, Network, zeros


def machine(*, gaussian: bool, visible: int = 4, hidden: int = 3) -> Machine:
    torch.manual_seed(0)
    up = nn.Linear(visible, hidden, dtype=torch.float64)
    down = Transposed(up)
    down.bias = nn.Parameter(torch.randn(visible, dtype=torch.float64))
    return Machine(up, down, gaussian)


def numbers(one: Machine) -> tuple[Tensor, Tensor, Tensor]:
    """Returns kernel, hidden and visible biases."""
    own = dict(one.up.named_parameters())
    return own["weight"].detach(), own["bias"].detach(), one.down.bias.detach()


def examples(*, gaussian: bool, count: int = 5, visible: int = 4) -> Tensor:
    torch.manual_seed(1)
    inputs = torch.randn(count, visible, dtype=torch.float64)
    return inputs if gaussian else inputs.sigmoid()


@pytest.mark.parametrize("gaussian", [False, True])
def test_the_free_energy_is_what_is_left_of_the_energy_without_hidden_units(gaussian: bool) -> None:
    """exp(-F(v)) is the sum of exp(-E(v, h)) over all h, by definition."""
    one = machine(gaussian=gaussian)
    weights, c, b = numbers(one)
    for v in examples(gaussian=gaussian):
        total = torch.zeros((), dtype=torch.float64)
        for units in product((0.0, 1.0), repeat=3):
            h = torch.tensor(units, dtype=torch.float64)
            of_visible = (v - b).square().sum() / 2 if gaussian else -(b @ v)
            total += (-(of_visible - c @ h - h @ weights @ v)).exp()
        assert one.free_energy(v[None]).item() == pytest.approx(-total.log().item(), rel=1e-12)


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("gaussian", [False, True])
def test_the_gradient_is_the_textbooks_contrastive_divergence(gaussian: bool, steps: int) -> None:
    """Hinton, 2012, section 2: <v p(h)> of the data minus that of the chain's end, downhill."""
    one = machine(gaussian=gaussian)
    inputs = examples(gaussian=gaussian)
    torch.manual_seed(7)
    contrastive_divergence(one, inputs, steps).backward()  # type: ignore[no-untyped-call]
    weights, c, b = numbers(one)
    torch.manual_seed(7)
    v = inputs
    for _ in range(steps):
        h = torch.bernoulli(torch.sigmoid(v @ weights.T + c))
        v = h @ weights + b
        v = v if gaussian else torch.sigmoid(v)
    first, last = torch.sigmoid(inputs @ weights.T + c), torch.sigmoid(v @ weights.T + c)
    of_weights = -(first.T @ inputs - last.T @ v) / len(inputs)
    torch.testing.assert_close(one.up.weight.grad, of_weights)
    torch.testing.assert_close(one.up.bias.grad, -(first - last).mean(0))
    torch.testing.assert_close(one.down.bias.grad, -(inputs - v).mean(0))


def two_machines() -> Network:
    parts = nn.Sequential()
    for name, units in (("dense1", (6, 4)), ("dense2", (4, 3))):
        parts.add_module(name, nn.Linear(*units, dtype=torch.float64))
        parts.add_module(f"sigmoid{name[-1]}", nn.Sigmoid())
    for name, layer in (("dense3", parts.dense2), ("output", parts.dense1)):
        assert isinstance(layer, nn.Linear)
        way = Transposed(layer)
        way.bias = nn.Parameter(torch.zeros(layer.in_features, dtype=torch.float64))
        parts.add_module(name, way)
        if name == "dense3":
            parts.add_module("sigmoid3", nn.Sigmoid())
    kernels = tuple(Kernel(f"{name}.weight", 0, 0, None) for name in ("dense1", "dense2"))
    return Network(parts, {name: zeros for name, _ in parts.named_parameters()}, kernels)


def test_each_machine_learns_from_the_probabilities_of_those_below() -> None:
    network = two_machines()
    taught = stacked(network, gaussian=True, steps=1)
    inputs = examples(gaussian=True, visible=6)
    dense1, dense2 = (network.module.get_submodule(name) for name in ("dense1", "dense2"))
    below = torch.sigmoid(dense1(inputs)).detach()
    upper = Machine(dense2, network.module.get_submodule("dense3"), False)  # type: ignore[arg-type]
    torch.manual_seed(3)
    loss = taught.loss(inputs, 1)
    torch.manual_seed(3)
    assert loss.item() == contrastive_divergence(upper, below, 1).item()
    loss.backward()  # type: ignore[no-untyped-call]
    learning = {n for n, p in network.module.named_parameters() if p.grad is not None}
    assert learning == {"dense2.weight", "dense2.bias", "dense3.bias"}


def test_measured_is_what_comes_back_through_all_machines() -> None:
    network = two_machines()
    inputs = examples(gaussian=True, visible=6)
    w1, b1, w2, b2, c2, c1 = (p.detach() for p in network.module.parameters())
    codings = torch.sigmoid(torch.sigmoid(inputs @ w1.T + b1) @ w2.T + b2)
    back = torch.sigmoid(codings @ w2 + c2) @ w1 + c1
    measured = stacked(network, gaussian=True, steps=1).measures(inputs)
    torch.testing.assert_close(measured["loss"], (back - inputs).square().mean(1))
