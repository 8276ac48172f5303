from __future__ import annotations

import torch
from torch import Tensor, nn

from dnnlab.training.fault import first_fault


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def fault_of(module: nn.Module, inputs: Tensor) -> str | None:
    def backward(loss: Tensor) -> None:
        module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]

    return first_fault(module, lambda: module(inputs).square().mean(), backward)


def test_nothing_is_wrong() -> None:
    assert fault_of(net(), torch.ones(2, 3)) is None


def test_the_first_output_counts() -> None:
    module = net()
    with torch.no_grad():
        module.get_parameter("2.weight").fill_(torch.inf)
    assert fault_of(module, torch.ones(2, 3)) == "the output of layer 2"
    assert fault_of(module, torch.full((2, 3), torch.nan)) == "the output of layer 0"


def test_a_loss_that_overflows() -> None:
    module = net()
    with torch.no_grad():
        module.get_parameter("2.bias").fill_(1e30)
    assert fault_of(module, torch.ones(2, 3)) == "the loss"


def test_a_gradient_that_overflows_is_named_from_the_top() -> None:
    """Outputs of 1e19 square to 1e38, which is finite; times inputs of 1e10 the gradient is not."""
    module = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    with torch.no_grad():
        module.get_parameter("0.weight").fill_(1e-3)
        module.get_parameter("1.weight").fill_(1e12)
    assert fault_of(module, torch.tensor([[1e10]])) == "the gradient of 0.weight"
