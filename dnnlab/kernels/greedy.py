"""Mirrored nets whose layers learn one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from dnnlab.kernels.network import Network, SelfTaught


def layer_by_layer(network: Network, corrupt: Callable[[Tensor], Tensor]) -> SelfTaught:
    """Returns how a mirrored net learns layer by layer.

    In phase k the k-th layer from the bottom and the k-th from the top have to give back what the
    layers below say of the inputs, from a corrupted copy of it. Those below are asked without
    dropout, and do not learn. The net is measured by the mean squared error of the whole.
    """
    groups = parts_by_layer(network)

    def loss(inputs: Tensor, phase: int) -> Tensor:
        with torch.no_grad():
            said = inputs.flatten(1)
            for group in groups[:phase]:
                said = through([part for part in group if not _drops(part)], said)
        outputs = through(groups[phase], corrupt(said))
        return mse_loss(through(groups[-1 - phase], outputs), said)

    return SelfTaught(loss, lambda inputs: {"loss": squared_errors(network.module, inputs)})


def parts_by_layer(network: Network) -> list[list[nn.Module]]:
    """Returns the modules of a stack, those of each layer together, in order.

    What stands before the first layer belongs to it.
    """
    names = {layer.name for layer in network.layers()}
    groups: list[list[nn.Module]] = [[]]
    begun = False
    for name, part in network.module.named_children():
        if name in names and begun:
            groups.append([])
        begun = begun or name in names
        groups[-1].append(part)
    return groups


def through(parts: Sequence[nn.Module], inputs: Tensor) -> Tensor:
    """Returns what modules make of inputs, one after the other."""
    for part in parts:
        inputs = part(inputs)
    return inputs


def squared_errors(module: nn.Module, inputs: Tensor) -> Tensor:
    """Returns the mean squared error (N,) of each example that a net gives back."""
    errors: Tensor = (module(inputs) - inputs.flatten(1)).square().mean(1)
    return errors


def _drops(part: nn.Module) -> bool:
    return isinstance(part, nn.modules.dropout._DropoutNd)
