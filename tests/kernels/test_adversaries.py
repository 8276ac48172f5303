from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from dnnlab.kernels.adversaries import adversaries
from dnnlab.kernels.network import Kernel, Network, zeros

CODINGS = 2


def stack(*units: int, norm: bool = False) -> Network:
    parts = nn.Sequential(nn.Flatten())
    for number, pair in enumerate(zip(units, units[1:], strict=False), start=1):
        parts.add_module(f"dense{number}", nn.Linear(*pair, dtype=torch.float64))
        if number < len(units) - 1:
            parts.add_module(f"tanh{number}", nn.Tanh())
            if norm:
                part = nn.BatchNorm1d(pair[1], dtype=torch.float64)
                part.num_batches_tracked = None
                parts.add_module(f"norm{number}", part)
    named = [*dict(parts.named_parameters()), *dict(parts.named_buffers())]
    kernels = tuple(Kernel(n, 0, 0, None) for n in named if n.startswith("dense") and "w" in n)
    return Network(parts, dict.fromkeys(named, zeros), kernels)


@pytest.fixture
def both() -> tuple[Network, Network, Network]:
    torch.manual_seed(0)
    discriminator, generator = stack(6, 5, 1), stack(CODINGS, 4, 6)
    return adversaries(discriminator, generator, CODINGS), discriminator, generator


def images(count: int = 7) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(count, 2, 3, dtype=torch.float64)


def test_each_nets_gradient_is_that_of_its_own_loss(
    both: tuple[Network, Network, Network],
) -> None:
    """Both losses written down again, one after the other, as binary cross-entropies."""
    network, discriminator, generator = both
    assert network.self_taught is not None
    inputs = images()
    torch.manual_seed(5)
    loss = network.self_taught.loss(inputs, 0)
    loss.backward()  # type: ignore[no-untyped-call]
    found = {name: p.grad for name, p in network.module.named_parameters()}

    torch.manual_seed(5)
    noise = torch.randn(7, CODINGS, dtype=torch.float64)
    made = generator.module(noise)
    real, ones, none = discriminator.module(inputs), torch.ones(7, 1).double(), torch.zeros(7, 1)
    telling = cross_entropy(real, ones) / 2
    telling = telling + cross_entropy(discriminator.module(made.detach()), none.double()) / 2
    tells = dict(discriminator.module.named_parameters())
    for name, grad in zip(tells, torch.autograd.grad(telling, list(tells.values())), strict=True):
        torch.testing.assert_close(found[name], grad)
    deceiving = cross_entropy(discriminator.module(made), ones)
    makes = dict(generator.module.named_parameters())
    grads = torch.autograd.grad(deceiving, list(makes.values()))
    for name, grad in zip(makes, grads, strict=True):
        torch.testing.assert_close(found[f"generator.{name}"], grad)
    assert loss.item() == pytest.approx(telling.item(), rel=1e-12)
    assert found.keys() == tells.keys() | {f"generator.{name}" for name in makes}


def test_one_that_cannot_tell_is_right_half_of_the_time(
    both: tuple[Network, Network, Network],
) -> None:
    network, discriminator, _ = both
    with torch.no_grad():
        for parameter in discriminator.module.parameters():
            parameter.zero_()
    assert network.self_taught is not None
    measured = network.self_taught.measures(images())
    assert measured["loss"].tolist() == pytest.approx([math.log(2)] * 7)
    assert measured["generator_loss"].tolist() == pytest.approx([math.log(2)] * 7)
    assert measured["accuracy"].tolist() == [0.5] * 7


def test_one_that_calls_everything_real_deceives_itself(
    both: tuple[Network, Network, Network],
) -> None:
    network, discriminator, _ = both
    with torch.no_grad():
        for name, parameter in discriminator.module.named_parameters():
            parameter.fill_(50.0 if name == "dense2.bias" else 0.0)
    assert network.self_taught is not None
    measured = network.self_taught.measures(images())
    assert measured["accuracy"].tolist() == [0.5] * 7
    assert measured["loss"].tolist() == pytest.approx([25.0] * 7)
    assert measured["generator_loss"].max() < 1e-20


def test_measuring_is_always_the_same_and_draws_nothing(
    both: tuple[Network, Network, Network],
) -> None:
    network, *_ = both
    assert network.self_taught is not None
    inputs = images()
    before = torch.get_rng_state()
    first, again = (network.self_taught.measures(inputs) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert torch.equal(torch.get_rng_state(), before)


def test_forward_and_the_first_layers_are_the_discriminators(
    both: tuple[Network, Network, Network],
) -> None:
    network, discriminator, _ = both
    inputs = images()
    assert torch.equal(network.module(inputs), discriminator.module(inputs))
    names = [layer.name for layer in network.layers()]
    assert names == ["dense1", "dense2", "generator.dense1", "generator.dense2"]


def test_batch_normalization_sees_both_batches() -> None:
    torch.manual_seed(0)
    network = adversaries(stack(6, 5, 1, norm=True), stack(CODINGS, 4, 6), CODINGS)
    before = network.module.get_buffer("norm1.running_mean").clone()
    assert network.self_taught is not None
    network.self_taught.loss(images(), 0).backward()  # type: ignore[no-untyped-call]
    assert not torch.equal(network.module.get_buffer("norm1.running_mean"), before)
