from __future__ import annotations

import itertools

import torch
from torch import nn

from dnnlab.choices.architectures.layers import ConvolutionalLayer
from dnnlab.choices.architectures.stack import Stack, Window, nothing_left, shrinking
from dnnlab.kernels.blocks import Residual
from tests.support import experiment_of

LAYER = next(experiment_of("data: digits\narchitecture: {name: mlp, hidden: [6]}").layers())


def test_sizes_are_those_of_torchs_convolutions() -> None:
    for kernel, stride, same in itertools.product((1, 2, 3, 5), (1, 2, 3), (True, False)):
        window = Window(kernel, stride, same)
        if same and kernel % 2 == 0:
            continue
        part = nn.Conv2d(1, 1, kernel, stride, window.padding, device="meta")
        for size in (7, 8):
            given = part(torch.empty(1, 1, size, size, device="meta")).shape[-1]
            assert window.size_after(size) == given
            assert not (same and stride == 1) or given == size, "same keeps the size"


def test_an_entry_pools_after_its_last_layer() -> None:
    entry = ConvolutionalLayer(filters=2, repeat=2, padding="valid", pool=2)
    assert list(shrinking(entry, (8, 9))) == [(6, 7), (2, 2)]
    assert nothing_left((2, 3)).startswith("nothing is left of 2 x 3 places")


def test_what_stands_inside_a_part_is_named_by_where_it_stands() -> None:
    with torch.device("meta"):
        body, whole = Stack((6,)), Stack((6,))
        body.dense("dense1", LAYER)
        part = Residual(nn.Sequential(body.parts), nn.Identity())
        whole.add_stacks("block1", part, shape=body.shape, body=body)
    network = whole.network()  # asserts that every tensor has a beginning
    assert set(network.initial) == {"block1.body.dense1.weight", "block1.body.dense1.bias"}
    assert [kernel.name for kernel in network.kernels] == ["block1.body.dense1.weight"]


def test_feature_maps_become_one_vector_a_vector_stays() -> None:
    with torch.device("meta"):
        for head, features in (("flatten", 3 * 4 * 5), ("average", 3)):
            stack = Stack((3, 4, 5))
            stack.one_vector(head)  # type: ignore[arg-type]
            assert stack.shape == (features,)
        stack.one_vector("flatten")
        assert list(stack.parts) == ["average", "flatten"]
