"""Restricted Boltzmann machines. B examples, V visible units, H hidden ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dnnlab.kernels.blocks import Transposed
from dnnlab.kernels.greedy import parts_by_layer, squared_errors
from dnnlab.kernels.network import Network, SelfTaught


@dataclass(frozen=True)
class Machine:
    """One machine: a dense layer from the visible units up, and the way back through it."""

    up: nn.Module
    down: Transposed
    gaussian: bool
    """Whether visible units are real numbers of variance 1, and not 0 or 1."""

    def codings(self, visible_BV: Tensor) -> Tensor:
        """Returns the probability (B, H) of each hidden unit to be 1."""
        probabilities: Tensor = self.up(visible_BV).sigmoid()
        return probabilities

    def given_back(self, hidden_BH: Tensor) -> Tensor:
        """Returns the mean (B, V) of each visible unit."""
        sums: Tensor = self.down(hidden_BH)
        return sums if self.gaussian else sums.sigmoid()

    def free_energy(self, visible_BV: Tensor) -> Tensor:
        """Returns F (B,), where exp(-F) is the probability but for a factor all have in common."""
        of_hidden = softplus(self.up(visible_BV)).sum(1)
        bias_V = self.down.bias
        if self.gaussian:
            return (visible_BV - bias_V).square().sum(1) / 2 - of_hidden
        return -(visible_BV @ bias_V) - of_hidden

    @torch.no_grad()
    def chain(self, visible_BV: Tensor, steps: int) -> Tensor:
        """Returns where a chain of so many steps ends that begins at the data.

        Hidden units are drawn from the default generator, visible ones take their means.
        """
        for _ in range(steps):
            visible_BV = self.given_back(torch.bernoulli(self.codings(visible_BV)))
        return visible_BV


def contrastive_divergence(machine: Machine, visible_BV: Tensor, steps: int) -> Tensor:
    """Returns a loss whose gradient is that of CD-k: mean F(data) - mean F(end of the chain)."""
    end = machine.chain(visible_BV, steps)
    return machine.free_energy(visible_BV).mean() - machine.free_energy(end).mean()


def stacked(network: Network, *, gaussian: bool, steps: int) -> SelfTaught:
    """Returns how the layers of a mirrored net with tied kernels learn as machines, one a phase.

    `gaussian` says of what kind the inputs are; above them all units are 0 or 1. The net is
    measured by the mean squared error of what comes back through all machines.
    """
    groups = parts_by_layer(network)
    machines = []
    for number in range(len(groups) // 2):
        (up,) = (part for part in groups[number] if isinstance(part, nn.Linear))
        (down,) = (part for part in groups[-1 - number] if isinstance(part, Transposed))
        machines.append(Machine(up, down, gaussian and number == 0))

    def loss(inputs: Tensor, phase: int) -> Tensor:
        visible = inputs.flatten(1)
        with torch.no_grad():
            for machine in machines[:phase]:
                visible = machine.codings(visible)
        return contrastive_divergence(machines[phase], visible, steps)

    return SelfTaught(loss, lambda inputs: {"loss": squared_errors(network.module, inputs)})
