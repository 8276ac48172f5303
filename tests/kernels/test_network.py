from __future__ import annotations

import pytest
import torch
from torch import nn

from dnnlab.kernels.network import Fill, Kernel, Network, ones, zeros


def test_every_tensor_must_say_how_it_begins() -> None:
    module = nn.Linear(3, 2)
    with pytest.raises(AssertionError, match="bias"):
        Network(module, {"weight": zeros}, ())


def test_counts_and_chance() -> None:
    with torch.device("meta"):
        norm = nn.BatchNorm1d(4)
        norm.num_batches_tracked = None
        module = nn.Sequential(norm, nn.Dropout(0.5))
    initial: dict[str, Fill] = {
        f"0.{name}": ones for name in ("weight", "bias", "running_mean", "running_var")
    }
    network = Network(module, initial, (Kernel("0.weight", 0.0, None),))
    assert (network.num_trainable, network.num_fixed) == (8, 8)
    assert network.draws_random_numbers
    plain = Network(nn.Flatten(), {}, ())
    assert not plain.draws_random_numbers
