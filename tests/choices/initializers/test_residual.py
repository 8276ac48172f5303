from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dnnlab.choices.initializers.residual import Fixup
from dnnlab.choices.initializers.scaling import HeNormal
from dnnlab.kernels.network import Fill


def filled(fill: Fill) -> Tensor:
    kernel = torch.empty(500, 1000)
    fill(kernel, torch.Generator().manual_seed(1))
    return kernel


def test_outside_of_branches_it_is_he_normal() -> None:
    assert torch.equal(filled(Fixup().build()), filled(HeNormal().build()))


@pytest.mark.parametrize(("depth", "branches"), [(2, 16), (3, 50), (1, 4)])
def test_a_branch_begins_small_and_ends_in_zeros(depth: int, branches: int) -> None:
    """Zhang, Dauphin and Ma: the gain of step 2 on He's, the last layer 0."""
    assert Fixup().rescales_branches
    he = filled(HeNormal().build())
    for position in range(depth - 1):
        gain = branches ** (-1 / (2 * depth - 2))
        found = filled(Fixup().in_branch(position, depth, branches))
        torch.testing.assert_close(found, gain * he, rtol=1e-5, atol=1e-9)
    assert not filled(Fixup().in_branch(depth - 1, depth, branches)).any()


@pytest.mark.parametrize("branches", [4, 64])
def test_an_update_changes_the_outputs_alike_whatever_the_depth(branches: int) -> None:
    """What the initialization is for: after one step of the same lr, deep nets do not move more.

    A plain net x + sum of branches w2 relu(w1 x), loss = sum of outputs * direction. With w2 = 0
    only w2 moves, by lr * outer(direction, h), so a branch adds lr * direction * |h|², and
    |h|² = gain² |x|² in the mean: L branches add L * L^(-1) = 1 branch's.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1000, dtype=torch.float64, generator=generator)
    fill = Fixup().in_branch(0, 2, branches)
    moved = 0.0
    for _ in range(branches):
        w1 = torch.empty(1000, 1000)
        fill(w1, generator)
        moved += torch.relu(w1.double() @ x).square().sum().item()
    # |h|² / |x|² of one branch scatters by sqrt(5 / 1000) = 7 %.
    assert moved / x.square().sum().item() == pytest.approx(1.0, abs=4 * 0.07 / math.sqrt(branches))
