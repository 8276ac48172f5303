from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dnnlab.choices.datasets import Signature
from dnnlab.choices.transfer import Transfer
from dnnlab.kernels.network import Network
from dnnlab.training.reuse import NoSuchLayer, Offer, compare, matching
from tests.support import experiment_of

TARGET = "{name: mlp, hidden: [5, 4]}\nnormalization: batch"


def net(architecture: str = TARGET, shape: tuple[int, ...] = (6,), outputs: int = 3) -> Network:
    text = f"data: {{name: npz, path: x.npz, task: classification}}\narchitecture: {architecture}\n"
    return experiment_of(text).network(Signature(shape, outputs, "classification"))


def weights(network: Network, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    module = network.module
    named = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: torch.randn(each.shape, generator=generator) for name, each in named.items()}


def transfer(**settings: object) -> Transfer:
    return Transfer.model_validate(settings)


def fates(
    network: Network, offer: Offer, shape: tuple[int, ...] = (6,), **settings: object
) -> list[tuple[str, str, str]]:
    rows = compare(network, offer, transfer(**settings), shape).rows
    return [(row.layer, row.fate, row.reason) for row in rows]


def test_all_but_the_output_is_reused_bit_by_bit() -> None:
    given = weights(net(outputs=7))
    found = compare(net(), Offer(given), Transfer(), (6,))
    assert found.layers == ("dense1", "dense2")
    taken = {name for name in given if not name.startswith("output")}
    assert set(found.tensors) == taken
    assert {"norm1.weight", "norm1.running_var"} <= taken
    assert all(torch.equal(found.tensors[name], given[name]) for name in taken)
    assert found.rows[-1].fate == "new"
    assert found.unused == ("output",)
    assert [row.parameters for row in found.rows] == [6 * 5 + 5 + 4 * 5, 5 * 4 + 4 + 4 * 4, 15]


def test_the_first_layers_or_named_ones() -> None:
    offer = Offer(weights(net()))
    one = [("dense1", "reused", ""), ("dense2", "new", "not among transfer.reuse")]
    assert fates(net(), offer, reuse=1)[:2] == one
    named = fates(net(), offer, reuse={"layers": ["dense2", "out*"]})
    assert [fate for _, fate, _ in named] == ["new", "reused", "reused"]
    assert [fate for _, fate, _ in fates(net(), offer, reuse=0)] == ["new"] * 3
    assert [fate for _, fate, _ in fates(net(), offer, reuse=3)] == ["reused"] * 3


def test_what_cannot_be_reused_is_skipped_with_the_reason() -> None:
    other = net("{name: mlp, hidden: [5, 9]}\nnormalization: batch")
    assert fates(net(), Offer(weights(other)))[1] == (
        "dense2",
        "skipped",
        "dense2.weight is 9 x 5 there, 4 x 5 here",
    )
    plain = Offer(weights(net("{name: mlp, hidden: [5, 4]}")))
    assert fates(net(), plain)[0] == ("dense1", "skipped", "it has no norm1.weight")
    shallow = Offer(weights(net("{name: mlp, hidden: [5]}\nnormalization: batch")))
    assert fates(net(), shallow)[1] == ("dense2", "skipped", "it has no dense2.weight")
    whole = weights(net())
    decoder = Offer(whole, frozenset({"dense1"}))
    assert fates(net(), decoder)[1] == ("dense2", "skipped", "its dense2 is not for reuse")


def test_a_layer_may_be_called_otherwise_there() -> None:
    given = weights(net("{name: mlp, hidden: [5, 4]}"))
    renamed = {name.replace("dense2", "encoder.1"): each for name, each in given.items()}
    target = net("{name: mlp, hidden: [5, 4]}")
    found = compare(target, Offer(renamed), transfer(names={"dense2": "encoder.1"}), (6,))
    assert found.rows[1].reason == "from encoder.1"
    assert torch.equal(found.tensors["dense2.weight"], given["dense2.weight"])
    assert found.unused == ("output",)
    with pytest.raises(NoSuchLayer, match="did you mean dense2"):
        compare(target, Offer(renamed), transfer(names={"dens2": "encoder.1"}), (6,))


def test_a_name_that_means_no_layer_is_refused_with_the_nearest() -> None:
    assert matching(["dense1", "dense2", "output"], ["dense?"], ()) == {"dense1", "dense2"}
    with pytest.raises(NoSuchLayer, match=r"'dnese1'; did you mean dense1\?") as caught:
        fates(net(), Offer({}), reuse={"layers": ["output", "dnese1"]})
    assert caught.value.path == ("transfer", "reuse", "layers", 1)
    with pytest.raises(NoSuchLayer, match="the layers are dense1, dense2, output"):
        fates(net(), Offer({}), reuse={"layers": ["qqq"]})
    with pytest.raises(NoSuchLayer, match="4 of the 3 layers"):
        fates(net(), Offer({}), reuse=4)


CNN = "{name: cnn, convolutions: [4], head: average}"


def test_kernels_of_other_channels_answer_even_images_alike() -> None:
    """A grey image as three equal channels, or the mean of three: every unit's sum stays."""
    for there, here in ((3, 1), (1, 3)):
        given = weights(net(CNN, (there, 8, 8)))
        offer = Offer(given, input_shape=(there, 8, 8))
        found = compare(net(CNN, (here, 8, 8)), offer, transfer(inputs="adapt"), (here, 8, 8))
        assert found.rows[0].fate == "adapted"
        assert "made for" in found.rows[0].reason
        kernel = found.tensors["conv1.weight"]
        assert kernel.shape == (4, here, 3, 3)
        grey = torch.rand(2, 1, 8, 8)
        before, after = (
            torch.conv2d(grey.expand(-1, count, -1, -1), weight)
            for count, weight in ((there, given["conv1.weight"]), (here, kernel))
        )
        torch.testing.assert_close(before, after)
        same = transfer(inputs="same")
        assert compare(net(CNN, (here, 8, 8)), offer, same, (here, 8, 8)).rows[0].fate == "skipped"


def test_dense_layers_see_images_of_another_size_alike() -> None:
    """An even image gives every unit the same sum; a smooth one nearly so."""
    mlp = "{name: mlp, hidden: [5]}"
    given = weights(net(mlp, (14, 14)))
    offer = Offer(given, input_shape=(14, 14))
    found = compare(net(mlp, (28, 28)), offer, transfer(inputs="adapt"), (28, 28))
    kernel = found.tensors["dense1.weight"]
    assert kernel.shape == (5, 784)
    torch.testing.assert_close(kernel.sum(1), given["dense1.weight"].sum(1), rtol=0.2, atol=2.0)
    # The weights themselves are spread: each of them over four pixels.
    middle = kernel.reshape(5, 28, 28)[:, 2:-2:2, 2:-2:2]
    assert middle.abs().mean() < given["dense1.weight"].abs().mean() / 3


def test_tables_cannot_be_adapted() -> None:
    offer = Offer(weights(net(shape=(7,))), input_shape=(7,))
    row = fates(net(), offer, inputs="adapt")[0]
    assert row == ("dense1", "skipped", "dense1.weight is 5 x 7 there, 5 x 6 here")


def test_torchvisions_own_weights_have_its_own_names() -> None:
    """A file of its state_dict, with the head of another number of classes."""
    import torchvision.models

    theirs = torchvision.models.shufflenet_v2_x0_5(num_classes=5).state_dict()
    network = net("{name: torchvision, model: shufflenet_v2_x0_5}", (3, 64, 64), outputs=3)
    found = compare(network, Offer(theirs), Transfer(), (3, 64, 64))
    fates = {row.fate for row in found.rows[:-1]}
    assert fates == {"reused"}
    assert (found.rows[-1].layer, found.rows[-1].fate) == ("model.fc", "new")
    named = set(dict(network.module.named_parameters())) | set(dict(network.module.named_buffers()))
    assert set(found.tensors) == {name for name in named if not name.startswith("model.fc")}
    kernel = "model.stage2.0.branch1.0.weight"
    assert torch.equal(found.tensors[kernel], theirs[kernel.removeprefix("model.")])
    assert found.unused == ("model.fc",)
    with_head = compare(network, Offer(theirs), transfer(reuse={"layers": ["*"]}), (3, 64, 64))
    assert with_head.rows[-1].reason == "model.fc.weight is 5 x 1024 there, 3 x 1024 here"
