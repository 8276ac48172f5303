from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dnnlab.choices.datasets import Signature
from dnnlab.kernels.network import Network
from dnnlab.training.state import State
from tests.support import experiment_of, refusal_of

IMAGES = Signature((8, 8), 10, "classification")


def network_of(settings: str, more: str = "") -> Network:
    text = f"data: digits\narchitecture: {{name: resnet, {settings}}}\n{more}"
    return experiment_of(text).network(IMAGES)


def filled(network: Network) -> nn.Module:
    optimizer = experiment_of("data: digits\narchitecture: {name: mlp, hidden: []}").optimizer
    State.fresh(network, optimizer, seed=0, device=torch.device("cpu"), dtype=torch.float32)
    return network.module.eval()


def test_parameters_of_a_block_are_those_of_the_paper() -> None:
    """Two 3 x 3 convolutions, and a 1 x 1 one past them where filters or size change."""
    network = network_of("stem: 4, blocks: [{filters: 4}, {filters: 6, stride: 2}]")
    stem = 9 * 1 * 4 + 4
    same = 2 * (9 * 4 * 4 + 4)
    other = (9 * 4 * 6 + 6) + (9 * 6 * 6 + 6) + (4 * 6 + 6)
    assert network.num_trainable == stem + same + other + (6 * 10 + 10)
    module = network.module
    assert isinstance(module.get_submodule("block1.shortcut"), nn.Identity)
    assert module.get_submodule("block2.shortcut.conv").stride == (2, 2)
    assert module(torch.empty(2, 8, 8, device="meta")).shape == (2, 10)


def test_a_block_is_the_activation_of_the_sum() -> None:
    module = filled(network_of("blocks: [{units: 64}]"))
    inputs = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    flat = inputs.flatten(1)
    first, second = (module.get_submodule(f"block1.body.dense{n}") for n in (1, 2))
    expected = torch.relu(flat + second(torch.relu(first(flat))))
    torch.testing.assert_close(module.get_submodule("output")(expected), module(inputs))


@pytest.mark.parametrize(
    ("place", "inside", "outside"),
    [
        ("before_activation", "dense1 norm1 relu1 dense2 norm2", "block1 relu2"),
        ("after_activation", "dense1 relu1 norm1 dense2", "block1 relu2 norm2"),
    ],
)
def test_where_normalization_stands(place: str, inside: str, outside: str) -> None:
    more = f"normalization: {{name: batch, place: {place}}}"
    module = network_of("blocks: [{units: 64}]", more).module
    body = " ".join(name for name, _ in module.get_submodule("block1.body").named_children())
    assert body == inside
    whole = " ".join(name for name, _ in module.named_children())
    assert whole == f"flatten {outside} output"


def test_convolutions_before_a_normalization_have_no_bias() -> None:
    more = "normalization: {name: batch, place: before_activation}"
    names = dict(network_of("stem: 4, blocks: [{filters: 6}]", more).module.named_parameters())
    assert not [name for name in names if "conv" in name and name.endswith("bias")]


def test_dense_blocks_follow_convolutional_ones() -> None:
    module = network_of("blocks: [{filters: 2}, {units: 6}]").module
    assert module(torch.empty(2, 8, 8, device="meta")).shape == (2, 10)
    assert "a convolutional block cannot follow a dense one" in "".join(
        refusal_of("data: digits\narchitecture: {name: resnet, blocks: [{units: 6}, {filters: 2}]}")
    )


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("{units: 4, filters: 4}", "give units for a dense block, or filters"),
        ("{depth: 2}", "give units for a dense block, or filters"),
        ("{units: 4, stride: 2}", "a dense block has no kernel and no stride"),
        ("{filters: 4, kernel: 2}", "needs an odd number"),
    ],
)
def test_blocks_that_cannot_be(block: str, said: str) -> None:
    (sentence,) = refusal_of(f"data: digits\narchitecture: {{name: resnet, blocks: [{block}]}}")
    assert said in sentence


def test_fixup_begins_with_blocks_that_do_nothing() -> None:
    """Zhang, Dauphin and Ma, 2019, section 3: last layers of branches and of the net are 0,
    the others He's times (number of branches)^(-1 / (2 * depth - 2)); no normalization."""
    module = filled(network_of("blocks: [{units: 400, repeat: 16}]", "initializer: fixup"))
    assert torch.equal(module(torch.randn(2, 8, 8)), torch.zeros(2, 10))
    hidden = torch.rand(2, 400)
    assert torch.equal(module.get_submodule("block5")(hidden), hidden)
    kernel = module.get_parameter("block5.body.dense9.weight").detach()
    expected = math.sqrt(2 / 400) * 16 ** (-1 / 2)
    assert float(kernel.std()) == pytest.approx(expected, rel=0.01)  # 160,000 numbers: 0.2 %
    names = " ".join(name for name, _ in module.get_submodule("block5.body").named_children())
    assert names == "shift9a dense9 shift9b relu9 shift10a dense10 scale shift"


def test_fixup_is_for_residual_nets_without_normalization() -> None:
    (sentence,) = refusal_of(
        "data: digits\narchitecture: {name: mlp, hidden: [4]}\ninitializer: fixup\n"
    )
    assert sentence == "3:14 initializer: fixup is for the architecture resnet"
    (sentence,) = refusal_of(
        "data: digits\narchitecture: {name: resnet, blocks: [{units: 4}]}\n"
        "initializer: fixup\nnormalization: batch\n"
    )
    assert sentence.startswith("4:16 normalization: fixup is for residual nets without")


def test_a_stem_may_repeat_and_the_blocks_keep_their_own_settings() -> None:
    module = network_of(
        "stem: {filters: 8, repeat: 2, pool: 2}, blocks: [{filters: 4, activation: elu, depth: 1}]"
    ).module
    names = " ".join(name for name, _ in module.named_children())
    assert names == ("as_images conv1 relu1 conv2 relu2 pool2 block1 elu3 average flatten output")
    assert len(module.get_parameter("block1.body.conv3.weight")) == 4


def test_only_the_first_block_of_a_repeat_strides() -> None:
    module = network_of("stem: 4, blocks: [{filters: 6, stride: 2, repeat: 2}]").module
    strides = [module.get_submodule(f"block{n}.body.conv{2 * n}").stride for n in (1, 2)]
    assert strides == [(2, 2), (1, 1)]


def test_what_stands_behind_a_block_and_past_it() -> None:
    more = "normalization: {name: batch, place: before_activation}\n"
    more += "regularization: {dropout: {rate: 0.5, where: hidden}}"
    module = network_of("blocks: [{units: 8}]", more).module
    names = " ".join(name for name, _ in module.named_children())
    assert names == "flatten block1 relu2 dropout2 output"
    past = [name for name, _ in module.get_submodule("block1.shortcut").named_children()]
    assert past == ["dense", "norm"]


def test_the_way_past_a_fixup_block_begins_like_any_other_layer() -> None:
    module = filled(network_of("blocks: [{units: 400}]", "initializer: fixup"))
    kernel = module.get_parameter("block1.shortcut.dense.weight").detach()
    assert float(kernel.std()) == pytest.approx(math.sqrt(2 / 64), rel=0.02)  # 25,600 numbers


@pytest.mark.parametrize(("head", "inputs"), [("average", 4), ("flatten", 4 * 64)])
def test_the_head_stands_before_a_dense_block_too(head: str, inputs: int) -> None:
    module = network_of(f"stem: 4, blocks: [{{units: 6}}], head: {head}").module
    assert module.get_parameter("block1.body.dense2.weight").shape == (6, inputs)


@pytest.mark.parametrize("stem", ["kernel: 9, padding: valid", "pool: 9"])
def test_a_stem_larger_than_the_images_is_refused(stem: str) -> None:
    (sentence,) = refusal_of(
        f"data: digits\narchitecture: {{name: resnet, stem: {{filters: 8, {stem}}}, blocks: []}}\n"
    )
    assert "architecture.stem: nothing is left of 8 x 8 places" in sentence


@pytest.mark.parametrize(
    "architecture",
    [
        "{name: mlp, hidden: [{units: 4, initializer: fixup}]}",
        "{name: resnet, blocks: [{units: 4, initializer: fixup}]}",
        "{name: mlp, hidden: [], output: {initializer: fixup}}",
    ],
)
def test_fixup_is_of_the_whole_net(architecture: str) -> None:
    (sentence,) = refusal_of(f"data: digits\narchitecture: {architecture}\n")
    assert "fixup is of the whole net: it belongs to the top-level initializer" in sentence
