from __future__ import annotations

import pytest
import torch

from dnnlab.training.precision import computing, weights_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "weights", "products"),
    [
        ("float32", torch.float32, torch.float32),
        ("float64", torch.float64, torch.float64),
        ("bfloat16", torch.float32, torch.bfloat16),
        ("float16", torch.float32, torch.float16),
    ],
)
def test_weights_and_products(precision: str, weights: torch.dtype, products: torch.dtype) -> None:
    matrix = torch.ones(4, 4, dtype=weights_dtype(precision))
    assert matrix.dtype == weights
    with computing(precision, CPU):
        assert (matrix @ matrix).dtype == products
