from __future__ import annotations

import pytest
import torch
from torch import nn

from dnnlab.kernels.blocks import Transposed
from dnnlab.kernels.network import Fill, Kernel, Network, ones, twins, zeros


def test_every_tensor_must_say_how_it_begins() -> None:
    module = nn.Linear(3, 2)
    with pytest.raises(AssertionError, match="bias"):
        Network(module, {"weight": zeros}, ())


def test_counts() -> None:
    with torch.device("meta"):
        norm = nn.BatchNorm1d(4)
        norm.num_batches_tracked = None
        module = nn.Sequential(norm, nn.Dropout(0.5))
    initial: dict[str, Fill] = {
        f"0.{name}": ones for name in ("weight", "bias", "running_mean", "running_var")
    }
    network = Network(module, initial, (Kernel("0.weight", 0.0, 0.0, None, uses=9),))
    assert (network.num_trainable, network.num_fixed) == (8, 8)
    assert network.widest == 4 * 9


def test_the_straight_line_is_the_forward_pass() -> None:
    stack = nn.Sequential(nn.Linear(3, 4), nn.SELU(), nn.Dropout(0.5), nn.Linear(4, 2))
    initial: dict[str, Fill] = dict.fromkeys(dict(stack.named_parameters()), zeros)
    forward = Network(stack, initial, ()).straight_line()
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    stack.eval()
    assert torch.equal(forward(inputs), stack(inputs))
    with torch.no_grad():
        stack.get_parameter("0.weight").mul_(2)
    assert torch.equal(forward(inputs), stack(inputs)), "weights are looked up when it is called"


def test_a_module_that_is_no_sequence_has_its_own_forward() -> None:
    layer = nn.Linear(3, 2)
    forward = Network(layer, {"weight": zeros, "bias": zeros}, ()).straight_line()
    inputs = torch.ones(1, 3)
    assert torch.equal(forward(inputs), layer(inputs))


def test_a_way_back_is_a_layer_though_its_kernel_is_anothers() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    module.add_module("back", Transposed(module[0]))
    module.add_module("norm", nn.LayerNorm(3))
    initial: dict[str, Fill] = dict.fromkeys(dict(module.named_parameters()), zeros)
    layers = Network(module, initial, (Kernel("0.weight", 0.0, 0.0, None),)).layers()
    assert [(layer.name, layer.modules) for layer in layers] == [
        ("0", ("0",)),
        ("back", ("back", "norm")),
    ]


def test_of_two_examples_each_kernel_but_the_last_is_used_twice() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    initial: dict[str, Fill] = dict.fromkeys(dict(module.named_parameters()), zeros)
    kernels = tuple(Kernel(f"{n}.weight", 0.0, 0.0, None, uses=5) for n in range(2))
    network = twins(Network(module, initial, kernels))
    assert [kernel.uses for kernel in network.kernels] == [10, 5]
    assert network.initial == initial
