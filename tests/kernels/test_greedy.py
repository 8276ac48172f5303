from __future__ import annotations

import torch
from torch import Tensor, nn

from dnnlab.kernels.greedy import layer_by_layer, parts_by_layer
from dnnlab.kernels.network import Kernel, Network, zeros


def mirrored() -> Network:
    """Returns 6-4-3-4-6 in float64, with a dropout that would drop nearly everything."""
    torch.manual_seed(0)
    parts = nn.Sequential(nn.Flatten())
    sizes = [("dense1", 6, 4), ("dense2", 4, 3), ("dense3", 3, 4), ("output", 4, 6)]
    for name, above, below in sizes:
        parts.add_module(name, nn.Linear(above, below, dtype=torch.float64))
        if name != "output":
            parts.add_module(f"tanh{name[-1]}", nn.Tanh())
        if name == "dense1":
            parts.add_module("dropout1", nn.Dropout(0.99))
    kernels = tuple(Kernel(f"{name}.weight", 0, 0, None) for name, _, _ in sizes)
    return Network(parts, {name: zeros for name, _ in parts.named_parameters()}, kernels)


def inputs() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(5, 2, 3, dtype=torch.float64)


def test_parts_belong_to_the_layer_before_them() -> None:
    kinds = [[type(part).__name__ for part in group] for group in parts_by_layer(mirrored())]
    assert kinds == [
        ["Flatten", "Linear", "Tanh", "Dropout"],
        ["Linear", "Tanh"],
        ["Linear", "Tanh"],
        ["Linear"],
    ]


def test_the_upper_layer_gives_back_what_the_lower_one_says() -> None:
    network = mirrored()
    taught = layer_by_layer(network, lambda codings: codings + 1)
    w1, b1, w2, b2, w3, b3, _, _ = (p.detach() for p in network.module.parameters())
    said = torch.tanh(inputs().flatten(1) @ w1.T + b1)  # nothing of it is dropped
    back = torch.tanh(torch.tanh((said + 1) @ w2.T + b2) @ w3.T + b3)
    loss = taught.loss(inputs(), 1)
    torch.testing.assert_close(loss.detach(), (back - said).square().mean())
    loss.backward()  # type: ignore[no-untyped-call]
    learning = {name for name, p in network.module.named_parameters() if p.grad is not None}
    assert learning == {"dense2.weight", "dense2.bias", "dense3.weight", "dense3.bias"}


def test_the_lowest_layer_gives_the_inputs_back() -> None:
    network = mirrored()
    network.module.eval()
    taught = layer_by_layer(network, lambda codings: 2 * codings)
    w1, b1, *_, w4, b4 = (p.detach() for p in network.module.parameters())
    flat = inputs().flatten(1)
    back = torch.tanh(2 * flat @ w1.T + b1) @ w4.T + b4
    torch.testing.assert_close(taught.loss(inputs(), 0).detach(), (back - flat).square().mean())


def test_measured_is_the_whole_on_clean_inputs() -> None:
    network = mirrored()
    network.module.eval()
    taught = layer_by_layer(network, lambda codings: 2 * codings)
    errors = (network.module(inputs()) - inputs().flatten(1)).square().mean(1)
    assert torch.equal(taught.measures(inputs())["loss"], errors)
