"""What a precision means: the type of the weights, and the type in which products are computed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

_PRODUCTS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def weights_dtype(precision: str) -> torch.dtype:
    """Returns the type of weights, gradients and slots: 32 bits, or 64 where asked for."""
    return torch.float64 if precision == "float64" else torch.float32


def computing(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Returns the context in which a net computes: torch's autocast for 16 bits, else nothing."""
    dtype = _PRODUCTS.get(precision)
    return nullcontext() if dtype is None else torch.autocast(device.type, dtype=dtype)
