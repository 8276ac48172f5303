from __future__ import annotations

from inspect import signature

import pytest
import torch
from torch import nn

from dnnlab.choices.normalizations import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
)
from tests.support import experiment_of, refusal_of


def test_training_uses_the_batch_and_moves_the_averages() -> None:
    module = BatchNormalization(momentum=0.9, eps=1e-3).build(3).double()
    x = torch.randn(8, 3, dtype=torch.float64) * 2 + 5
    z = module(x)
    mean, variance = x.mean(0), x.var(0, correction=0)
    expected = (x - mean) / torch.sqrt(variance + 1e-3)
    torch.testing.assert_close(z.detach(), expected, rtol=1e-10, atol=1e-12)
    # torch moves towards the unbiased variance, n / (n - 1) larger; Keras towards the biased one.
    moved = 0.9 * 1.0 + 0.1 * variance * 8 / 7
    torch.testing.assert_close(module.get_buffer("running_mean"), 0.1 * mean)
    torch.testing.assert_close(module.get_buffer("running_var"), moved)


def test_evaluation_uses_the_averages() -> None:
    module = BatchNormalization(eps=1e-3).build(2).eval()
    x = torch.tensor([[3.0, -1.0]])
    torch.testing.assert_close(module(x).detach(), x / (1 + 1e-3) ** 0.5)


def test_keras_counts_four_numbers_per_unit() -> None:
    module = BatchNormalization().build(5)
    assert sum(p.numel() for p in module.parameters()) == 10
    assert sum(b.numel() for b in module.buffers()) == 10


def test_a_feature_map_is_one_unit() -> None:
    module = BatchNormalization(eps=1e-3).build(3, spatial=True).double()
    x = torch.randn(4, 3, 5, 6, dtype=torch.float64)
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = x.var((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(module(x).detach(), (x - mean) / torch.sqrt(variance + 1e-3))


@pytest.mark.parametrize("spatial", [False, True])
def test_layer_normalization_is_of_each_example(spatial: bool) -> None:
    module = LayerNormalization().build(4, spatial=spatial).double()
    x = torch.randn((3, 4, 5, 5) if spatial else (3, 4), dtype=torch.float64)
    axes = tuple(range(1, x.ndim))
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True)
    expected = (x - mean) / torch.sqrt(variance + 1e-3)
    torch.testing.assert_close(module(x).detach(), expected)
    torch.testing.assert_close(module(x[:1]), module(x)[:1], msg="the batch does not matter")
    assert {p.numel() for p in module.parameters()} == {4}


@pytest.mark.parametrize("spatial", [False, True])
def test_group_normalization_is_of_each_group(spatial: bool) -> None:
    module = GroupNormalization(groups=2).build(6, spatial=spatial).double()
    x = torch.randn((3, 6, 4, 4) if spatial else (3, 6), dtype=torch.float64)
    groups = x.view(3, 2, -1)
    mean, variance = groups.mean(2, keepdim=True), groups.var(2, correction=0, keepdim=True)
    expected = ((groups - mean) / torch.sqrt(variance + 1e-3)).view(x.shape)
    torch.testing.assert_close(module(x).detach(), expected)


def test_groups_have_to_divide_the_units() -> None:
    start = "data: digits\narchitecture: {name: mlp, hidden: [16, 10]}\n"
    assert refusal_of(start + "normalization: {name: group, groups: 8}\n") == [
        "3:16 normalization: 8 groups do not divide a layer of 10 units"
    ]
    experiment_of(start + "normalization: {name: group, groups: 2}\n")


# --- what PyTorch does by itself ---------------------------------------------------------------


def test_torchs_own_defaults_are_others() -> None:
    """Its momentum .1 is .9 here and in Keras; Keras has .99 and eps 1e-3."""
    defaults = signature(nn.BatchNorm1d.__init__).parameters
    assert (defaults["momentum"].default, defaults["eps"].default) == (0.1, 1e-5)
    ours = BatchNormalization()
    assert (ours.momentum, ours.eps) == (0.99, 1e-3)
    assert ours.build(2).momentum == pytest.approx(1 - 0.99)


def test_freezing_parameters_does_not_freeze_torchs_averages() -> None:
    """Only evaluation mode does: with requires_grad False the batch still counts, and is kept."""
    module = BatchNormalization().build(3)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    before = module.get_buffer("running_mean").clone()
    x = torch.randn(8, 3) + 4
    in_training = module(x)
    assert not torch.equal(module.get_buffer("running_mean"), before)
    assert not torch.allclose(in_training, module.eval()(x))
