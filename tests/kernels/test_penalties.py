from __future__ import annotations

import torch

from dnnlab.kernels.penalties import add_l1_gradient_, add_l2_gradient_, max_norm_


def test_l2_is_the_gradient_of_a_sum_of_squares_without_one_half() -> None:
    weights = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    (1e-2 * weights.square().sum()).backward()  # type: ignore[no-untyped-call]
    gradient = torch.zeros(4, 3, dtype=torch.float64)
    add_l2_gradient_(gradient, weights.detach(), 1e-2)
    torch.testing.assert_close(gradient, weights.grad, rtol=1e-14, atol=0)


def test_l2_is_half_of_torchs_weight_decay() -> None:
    weights = torch.randn(5, dtype=torch.float64, requires_grad=True)
    before = weights.detach().clone()
    weights.grad = torch.zeros_like(before)
    torch.optim.SGD([weights], lr=0.1, weight_decay=2e-3).step()
    gradient = torch.zeros_like(before)
    add_l2_gradient_(gradient, before, 1e-3)
    torch.testing.assert_close(weights.detach(), before - 0.1 * gradient, rtol=1e-14, atol=0)


def test_max_norm_bounds_the_incoming_weights_of_each_unit() -> None:
    """torch's kernels are (out, in): unit 0 has incoming weights (3, 4), of length 5."""
    kernel = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    max_norm_(kernel, 1.0)
    expected = torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]])
    torch.testing.assert_close(kernel, expected)


def test_max_norm_of_a_convolution_spans_channels_and_window() -> None:
    kernel = torch.full((2, 3, 5, 5), 1.0)
    kernel[1] = 0.01
    max_norm_(kernel, 2.0)
    lengths = kernel.view(2, -1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([2.0, 0.01 * 75**0.5]))


def test_l1_is_the_gradient_of_a_sum_of_absolute_values() -> None:
    weights = torch.tensor([2.0, -0.5, 0.0], dtype=torch.float64, requires_grad=True)
    (1e-2 * weights.abs().sum()).backward()  # type: ignore[no-untyped-call]
    gradient = torch.zeros(3, dtype=torch.float64)
    add_l1_gradient_(gradient, weights.detach(), 1e-2)
    assert weights.grad is not None
    assert gradient.tolist() == weights.grad.tolist() == [0.01, -0.01, 0.0]
