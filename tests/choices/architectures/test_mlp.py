from __future__ import annotations

import pytest
import torch

from dnnlab.choices.datasets import Signature
from dnnlab.kernels.network import Network
from tests.support import experiment_of, refusal_of

IMAGES = Signature((28, 28), 10, "classification")
HEAD = "data: fashion_mnist\narchitecture:\n  name: mlp\n"


def network(text: str, signature: Signature = IMAGES) -> Network:
    return experiment_of(HEAD + text).network(signature)


def names(net: Network) -> list[str]:
    return [name for name, _ in net.module.named_children()]


def test_layers_are_named_in_their_order() -> None:
    net = network("  hidden: [300, 100]\nactivation: selu")
    assert names(net) == ["flatten", "dense1", "selu1", "dense2", "selu2", "output"]
    assert net.num_trainable == 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10


def test_no_hidden_layer_is_a_linear_model() -> None:
    assert names(network("  hidden: []")) == ["flatten", "output"]


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("normalization: {name: batch, input: true}", (271_346, 268_978, 2_368)),
        (
            "normalization: {name: batch, input: true, place: before_activation}",
            (270_946, 268_578, 2_368),
        ),
    ],
)
def test_published_counts_of_the_batch_norm_nets(text: str, counts: tuple[int, ...]) -> None:
    net = network(f"  hidden: [300, 100]\n{text}")
    found = (net.num_trainable + net.num_fixed, net.num_trainable, net.num_fixed)
    assert found == counts


def test_published_counts_of_the_256_nets() -> None:
    after = network("  hidden: [256]\nnormalization: {name: batch, input: true}")
    assert (after.num_trainable, after.num_fixed) == (205_610, 2_080)
    place = "normalization: {name: batch, input: true, place: before_activation}"
    before = network(f"  hidden: [256]\n{place}")
    assert (before.num_trainable, before.num_fixed) == (205_354, 2_080)
    with_bias = network(f"  hidden: [256]\n  use_bias: true\n{place}")
    assert with_bias.num_trainable == 205_610


def test_batch_norm_stands_before_or_after_the_activation() -> None:
    after = network("  hidden: [5]\nnormalization: batch")
    assert names(after) == ["flatten", "dense1", "relu1", "norm1", "output"]
    before = network("  hidden: [5]\nnormalization: {name: batch, place: before_activation}")
    assert names(before) == ["flatten", "dense1", "norm1", "relu1", "output"]
    assert "dense1.bias" not in before.initial


def test_a_layers_own_settings_override_the_experiments() -> None:
    net = network(
        "  hidden: [4, {units: 5, repeat: 2, activation: elu, l2: 0, max_norm: 3, use_bias: false,"
        " dropout: 0.5, normalization: batch}]\n"
        "regularization: {l2: 1e-3, max_norm: 1, dropout: {rate: 0.1, where: hidden}}"
    )
    parts = dict(net.module.named_children())
    assert names(net)[1:9] == [
        "dense1",
        "relu1",
        "dropout1",
        "dense2",
        "elu2",
        "norm2",
        "dropout2",
        "dense3",
    ]
    assert "p=0.1" in str(parts["dropout1"])
    assert "p=0.5" in str(parts["dropout2"])
    assert "bias=False" in str(parts["dense2"])
    assert [(k.l2, k.max_norm) for k in net.kernels] == [(1e-3, 1), (0, 3), (0, 3), (1e-3, 1)]


def test_dropout_of_zero_for_one_layer_removes_it() -> None:
    net = network("  hidden: [4, {units: 5, dropout: 0}]\nregularization: {dropout: 0.2}")
    assert [n for n in names(net) if "dropout" in n] == ["input_dropout", "dropout1"]


def test_dropout_in_the_top_layers_only() -> None:
    text = "  hidden: [4, 4, 4]\nregularization: {dropout: {rate: 0.2, where: {top: 2}}}"
    assert [n for n in names(network(text)) if "dropout" in n] == ["dropout2", "dropout3"]


def test_the_output_layer_has_its_own_settings() -> None:
    net = network(
        "  hidden: [4]\n  output: {l2: 0, max_norm: 2, use_bias: false, initializer: he_normal}\n"
        "regularization: {l2: 1e-3}"
    )
    assert "output.bias" not in net.initial
    assert (net.kernels[-1].l2, net.kernels[-1].max_norm) == (0, 2)


def test_initial_values_follow_the_initializer_of_each_layer() -> None:
    """1,000 x 1,000 numbers each; the output's Glorot has fan_avg (1000 + 10) / 2."""
    net = network(
        "  hidden: [1000, {units: 1000, activation: selu}]\nactivation: relu",
        Signature((1000,), 10, "classification"),
    )
    generator = torch.Generator().manual_seed(0)
    for name, variance, shape in (
        ("dense1.weight", 2 / 1000, (1000, 1000)),
        ("dense2.weight", 1 / 1000, (1000, 1000)),
        ("output.weight", 1 / 505, (10, 1000)),
    ):
        tensor = torch.empty(shape)
        net.initial[name](tensor, generator)
        assert tensor.var().item() == pytest.approx(variance, rel=0.01 if shape[0] > 10 else 0.05)
    bias = torch.empty(1000)
    net.initial["dense1.bias"](bias, generator)
    assert not bias.any()


def test_building_takes_no_memory() -> None:
    net = network("  hidden: [{units: 1000000, repeat: 3}]")
    assert all(parameter.is_meta for parameter in net.module.parameters())
    assert net.num_trainable > 2e12


def test_the_output_has_settings_of_its_own() -> None:
    net = network("  hidden: [5]\n  output: {bias_initializer: ones, l1: 0.5}\n")
    bias = torch.empty(10)
    net.initial["output.bias"](bias, torch.Generator())
    assert torch.equal(bias, torch.ones(10))
    assert [kernel.l1 for kernel in net.kernels] == [0.0, 0.5]


def test_a_layers_own_l1_counts_for_it_alone() -> None:
    text = "  hidden: [5, {units: 5, l1: 0.25}]\nregularization: {l1: 0.5}\n"
    assert [kernel.l1 for kernel in network(text).kernels] == [0.5, 0.25, 0.5]


def test_biases_have_no_fan() -> None:
    for place in ("output: {bias_initializer: he_normal}", "bias_initializer: orthogonal"):
        inside = place if place.startswith("output") else ""
        text = "data: digits\narchitecture:\n  name: mlp\n  hidden: [4]\n"
        text += f"  {inside}\n" if inside else f"{place}\n"
        (sentence,) = refusal_of(text)
        assert "a bias has none: zeros, constant" in sentence
