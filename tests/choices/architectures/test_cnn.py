from __future__ import annotations

import pytest
import torch

from dnnlab.choices.datasets import Signature
from tests.support import experiment_of, refusal_of

START = "data: digits\narchitecture: {name: cnn, %s}\n"


def test_layers_are_numbered_through() -> None:
    settings = (
        "convolutions: [{filters: 4, pool: 2}, {filters: 6, repeat: 2, pool: 2}], hidden: [7]"
    )
    module = experiment_of(START % settings).network(Signature((8, 8), 10, "classification")).module
    names = " ".join(name for name, _ in module.named_children())
    convolutions = "as_images conv1 relu1 pool1 conv2 relu2 conv3 relu3 pool3"
    assert names == f"{convolutions} flatten dense4 relu4 output"
    assert module(torch.empty((2, 8, 8), device="meta")).shape == (2, 10)


def test_parameters_are_those_of_the_formula() -> None:
    """k x k x in x out + out for each convolution; 8 x 8 pooled twice leaves 2 x 2 maps."""
    text = START % "convolutions: [{filters: 4, kernel: 5, pool: 2}, {filters: 6, pool: 2}]"
    network = experiment_of(text).network(Signature((3, 8, 8), 10, "classification"))
    expected = (25 * 3 * 4 + 4) + (9 * 4 * 6 + 6) + (2 * 2 * 6 * 10 + 10)
    assert network.num_trainable == expected
    assert [kernel.uses for kernel in network.kernels] == [8 * 8, 4 * 4, 1]


def test_the_average_head_leaves_one_number_a_map() -> None:
    text = START % "convolutions: [5], head: average"
    network = experiment_of(text).network(Signature((8, 8), 10, "classification"))
    assert network.num_trainable == (9 * 5 + 5) + (5 * 10 + 10)


@pytest.mark.parametrize(
    ("window", "size"),
    [
        ("stride: 2", 4),  # (8 + 2 * 1 - 3) // 2 + 1
        ("kernel: 5, stride: 3", 3),  # (8 + 2 * 2 - 5) // 3 + 1
        ("kernel: 3, padding: valid", 6),  # 8 - 3 + 1
        ("kernel: 4, padding: valid, stride: 2", 3),  # (8 - 4) // 2 + 1
        ("kernel: 5", 8),
        ("pool: 3", 2),  # 8 // 3
    ],
)
def test_sizes_follow_the_windows(window: str, size: int) -> None:
    text = START % f"convolutions: [{{filters: 2, {window}}}]"
    network = experiment_of(text).network(Signature((8, 8), 10, "classification"))
    assert network.module.get_submodule("output").weight.shape == (10, 2 * size * size)
    assert network.module(torch.empty(2, 8, 8, device="meta")).shape == (2, 10)


def test_spatial_dropout_drops_maps_and_ordinary_units_behind_them() -> None:
    text = START % "convolutions: [4], hidden: [6]"
    text += "regularization: {dropout: {rate: 0.5, kind: spatial, where: hidden}}\n"
    module = experiment_of(text).network(Signature((8, 8), 10, "classification")).module
    kinds = [type(module.get_submodule(f"dropout{number}")).__name__ for number in (1, 2)]
    assert kinds == ["Dropout2d", "Dropout"]


def test_what_is_no_image_is_refused() -> None:
    table = "data: diabetes\narchitecture: {name: cnn, convolutions: [4]}\n"
    assert refusal_of(table) == [
        "2:15 architecture: cnn is for images, but an example has 10 numbers in a row"
    ]


def test_windows_that_leave_nothing_are_refused_with_their_line() -> None:
    (sentence,) = refusal_of(
        "data: digits\narchitecture:\n  name: cnn\n  convolutions:\n"
        "    - {filters: 4, pool: 4}\n    - {filters: 4, pool: 3}\n"
    )
    assert sentence.startswith("6:7 architecture.convolutions[1]: nothing is left of 2 x 2 places")


def test_an_even_kernel_has_no_middle() -> None:
    (sentence,) = refusal_of(START % "convolutions: [{filters: 4, kernel: 4}]")
    assert "an even kernel has no middle: it needs padding: valid" in sentence


def test_average_pooling_needs_a_window() -> None:
    (sentence,) = refusal_of(START % "convolutions: [{filters: 4, pooling: average}]")
    assert "pooling: average needs pool" in sentence


def test_spatial_dropout_is_for_convolutions() -> None:
    (sentence,) = refusal_of(
        START % "convolutions: [4], hidden: [{units: 5, dropout: {rate: 0.1, kind: spatial}}]"
    )
    assert "spatial dropout is for convolution layers, and this one is dense" in sentence
