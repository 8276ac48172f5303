from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from dnnlab.kernels.blocks import (
    Accompanied,
    AsColour,
    AsImages,
    AsSequence,
    Cell,
    LastStep,
    Recurrent,
    Residual,
    Resize,
    Scale,
    Shift,
    Transposed,
    Twins,
    WideAndDeep,
)


def counting(*shape: int) -> Tensor:
    """Returns 0, 1, 2, ... in this shape, so that every place can be told from every other."""
    return torch.arange(float(torch.Size(shape).numel())).view(shape)


def test_grey_images_get_channels() -> None:
    images = counting(2, 3, 4)
    assert AsImages(3)(images).shape == (2, 3, 3, 4)
    assert all(torch.equal(AsImages(3)(images)[:, channel], images) for channel in range(3))
    assert torch.equal(AsColour()(images[:, None])[:, 2], images)


def test_resizing_a_plane_gives_a_plane() -> None:
    """Bilinear interpolation is exact where brightness is linear, away from the borders."""
    rows = torch.linspace(0, 7, 8).expand(8, 8)
    larger = Resize(16)(rows[None, None])[0, 0, 4, 1:-1]
    wanted = (torch.arange(16) + 0.5) / 2 - 0.5
    torch.testing.assert_close(larger, wanted[1:-1])


def test_a_residual_adds_what_goes_past() -> None:
    inputs = counting(2, 3)
    doubled = Residual(nn.Identity(), nn.Identity())(inputs)
    assert torch.equal(doubled, 2 * inputs)


def test_scale_and_shift_are_one_number_each() -> None:
    scale, shift = Scale(), Shift()
    with torch.no_grad():
        scale.weight.fill_(3.0)
        shift.bias.fill_(-1.0)
    inputs = counting(2, 3)
    assert torch.equal(shift(scale(inputs)), 3 * inputs - 1)
    assert (scale.weight.numel(), shift.bias.numel()) == (1, 1)


def test_wide_columns_stand_before_what_the_deep_way_makes() -> None:
    inputs = counting(2, 4)
    deep = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        deep.weight.copy_(torch.tensor([[1.0, 10.0]]))
    joined = WideAndDeep(deep, [3, 0], [1, 2])(inputs)
    expected = torch.stack([inputs[:, 3], inputs[:, 0], inputs[:, 1] + 10 * inputs[:, 2]], dim=1)
    assert torch.equal(joined, expected)
    everything = WideAndDeep(nn.Identity(), None, None)(inputs)
    assert torch.equal(everything, torch.cat([inputs, inputs], dim=1))


def test_sequences_are_rows_or_groups_of_columns() -> None:
    image = counting(1, 3, 2)
    assert torch.equal(AsSequence(3)(image), image)
    colour = counting(1, 2, 3, 2)
    assert torch.equal(AsSequence(3)(colour)[0, 1], torch.cat([colour[0, 0, 1], colour[0, 1, 1]]))
    table = counting(1, 6)
    assert AsSequence(6)(table).shape == (1, 6, 1)
    assert torch.equal(AsSequence(2)(table)[0], torch.tensor([[0.0, 1, 2], [3, 4, 5]]))


def test_the_last_step_of_a_backward_reader_is_the_first() -> None:
    sequence = counting(1, 3, 4)
    assert torch.equal(LastStep(False)(sequence), sequence[:, 2])
    expected = torch.cat([sequence[:, 2, :2], sequence[:, 0, 2:]], dim=1)
    assert torch.equal(LastStep(True)(sequence), expected)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("bias", [True, False])
def test_steps_taken_one_by_one_are_torchs(cell: Cell, bias: bool) -> None:
    """With a share dropped that is too small to drop anything, both ways give the same numbers."""
    torch.manual_seed(0)
    layer = Recurrent(cell, 3, 4, bidirectional=True, bias=bias, recurrent_dropout=1e-12)
    layer.double()
    sequence = torch.randn(5, 6, 3, dtype=torch.float64)
    slow = layer.train()(sequence)
    fast = layer.eval()(sequence)
    assert slow.shape == (5, 6, 8)
    torch.testing.assert_close(slow, fast, rtol=1e-10, atol=1e-12)


def test_recurrent_dropout_keeps_one_mask_for_all_steps() -> None:
    """A GRU whose inputs and kernels leave only h <- h - h * z(mask * h), read off by hand.

    With all kernels 0 but the update gate's bias, memory stays what it is: so the mask is looked at
    through weight_hh of the new gate. Here: new = tanh(m * h * w), update = 1/2, h0 = 0, x = 1.
    """
    torch.manual_seed(1)
    layer = Recurrent("gru", 1, 64, bidirectional=False, bias=False, recurrent_dropout=0.5)
    cell, units = layer.cell, 64
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        cell.get_parameter("weight_ih_l0")[2 * units :] = 1.0  # the new gate reads the input
        own = cell.get_parameter("weight_hh_l0")[2 * units :]
        own.copy_(torch.eye(units))  # and its own memory, through the mask
    outputs = layer.train()(torch.ones(1, 4, 1))[0]
    kept, dropped = torch.zeros(()), torch.zeros(())
    lines = []
    for _ in range(4):
        # reset gate = sigmoid(0) = 1/2, mask = 1 / (1 - rate) = 2 where kept: h * 2 / 2 = h
        kept = kept / 2 + torch.tanh(1 + kept) / 2
        dropped = dropped / 2 + torch.tanh(torch.tensor(1.0)) / 2
        lines.append((kept.clone(), dropped.clone()))
    is_kept = (outputs[1] - lines[1][0]).abs() < 1e-6
    assert 10 < int(is_kept.sum()) < 54  # about half of 64
    for step, (of_kept, of_dropped) in enumerate(lines):
        expected = torch.where(is_kept, of_kept, of_dropped)
        torch.testing.assert_close(outputs[step], expected, rtol=1e-5, atol=1e-6)


def test_a_layer_gone_back_through_lends_its_kernel_and_keeps_it() -> None:
    dense = nn.Linear(5, 3)
    way = Transposed(dense)
    assert [name for name, _ in way.named_parameters()] == ["bias"]
    inputs = torch.randn(2, 3)
    expected = inputs @ dense.weight + way.bias
    torch.testing.assert_close(way(inputs), expected)
    dense.weight = nn.Parameter(torch.zeros(3, 5))  # as a state does that gives it memory
    torch.testing.assert_close(way(inputs), way.bias.expand(2, -1))


def test_what_stands_beside_a_stack_is_part_of_it_and_not_on_its_way() -> None:
    layer, other = nn.Linear(3, 2), nn.Linear(7, 7)
    stack = nn.Sequential(OrderedDict(a=layer))
    whole = Accompanied(stack, other=other)
    inputs = torch.randn(4, 3)
    assert torch.equal(whole(inputs), stack(inputs))
    names = [name for name, _ in whole.named_parameters()]
    assert names == ["a.weight", "a.bias", "other.weight", "other.bias"]
    whole.eval()
    assert not layer.training
    assert not other.training


def test_twins_see_how_far_two_examples_are_apart() -> None:
    below, last = nn.Linear(3, 2), nn.Linear(2, 2)
    twins = Twins(nn.Sequential(OrderedDict(a=below, b=nn.Tanh(), output=last)))
    assert [name for name, _ in twins.named_children()] == ["a", "b", "output"]
    pairs = torch.randn(4, 2, 3)
    first, second = below(pairs[:, 0]).tanh(), below(pairs[:, 1]).tanh()
    torch.testing.assert_close(twins(pairs), last((first - second).abs()))
    torch.testing.assert_close(twins(pairs.flip(1)), twins(pairs))
    alike = pairs[:, :1].expand(-1, 2, -1)
    torch.testing.assert_close(twins(alike), last.bias.expand(4, -1))
