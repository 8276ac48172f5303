from __future__ import annotations

import torch

from dnnlab.kernels.gradients import clip_norm_, clip_norm_per_tensor_, clip_value_, norm


def example() -> torch.Tensor:
    return torch.tensor([0.9, 100.0], dtype=torch.float64)


def test_norm_is_that_of_all_pieces_together() -> None:
    pieces = [torch.tensor([3.0, 0.0]), torch.tensor([[0.0, 4.0]])]
    assert norm(pieces).item() == 5.0


def test_clipping_by_value_turns_the_direction() -> None:
    gradient = example()
    clip_value_([gradient], 1.0)
    assert gradient.tolist() == [0.9, 1.0]


def test_clipping_by_norm_keeps_the_direction() -> None:
    """The chapter's vector: [0.9, 100] / sqrt(0.81 + 10000)."""
    gradient = example()
    clip_norm_([gradient], 1.0)
    torch.testing.assert_close(gradient, example() / 10000.81**0.5, rtol=1e-15, atol=0)
    published = torch.tensor([0.00899964, 0.9999595], dtype=torch.float64)
    torch.testing.assert_close(gradient, published, rtol=1e-6, atol=0)


def test_a_short_gradient_is_left_alone() -> None:
    gradient = torch.tensor([0.3, -0.4], dtype=torch.float64)
    clip_norm_([gradient], 1.0)
    assert gradient.tolist() == [0.3, -0.4]
    clip_norm_([torch.zeros(2)], 1.0)


def test_a_zero_gradient_stays_zero() -> None:
    gradient = torch.zeros(3)
    clip_norm_([gradient], 1.0)
    assert gradient.tolist() == [0.0, 0.0, 0.0]


def test_the_global_norm_scales_all_pieces_alike_and_the_other_each_by_itself() -> None:
    together = [torch.tensor([3.0]), torch.tensor([4.0])]
    clip_norm_(together, 1.0)
    torch.testing.assert_close(torch.cat(together), torch.tensor([0.6, 0.8]))
    apart = [torch.tensor([3.0]), torch.tensor([0.5])]
    clip_norm_per_tensor_(apart, 1.0)
    assert [piece.item() for piece in apart] == [1.0, 0.5]
