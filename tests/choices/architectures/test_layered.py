from __future__ import annotations

import time

import pytest

from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import DenseLayer
from dnnlab.choices.initializers.scaling import AutoInitializer
from tests.support import experiment_of, refusal_of

NETS = (
    "{name: cnn, convolutions: [4], hidden: [5]}",
    "{name: resnet, stem: 4, blocks: [{filters: 4}], hidden: [5]}",
    "{name: rnn, recurrent: [4], hidden: [5]}",
)


def test_no_auto_is_left_in_any_entry() -> None:
    own = "activation: selu, initializer: auto"
    for net in NETS:
        text = net.replace("hidden: [5]", f"hidden: [{{units: 5, {own}}}]")
        experiment = experiment_of(f"data: digits\narchitecture: {text}\n")
        architecture = experiment.architecture
        assert isinstance(architecture, Layered)
        assert architecture.use_bias is True
        assert architecture.output.initializer.name == "glorot_uniform"
        layers = list(experiment.layers())
        assert not [layer for layer in layers if isinstance(layer.initializer, AutoInitializer)]
        assert layers[-1].initializer.name == "lecun_normal"


def test_entries_know_where_they_stand() -> None:
    first, second = DenseLayer(units=3), DenseLayer(units=4)
    assert entries_of("hidden", (first, second), "dense") == [
        (("architecture", "hidden", 0), first, "dense"),
        (("architecture", "hidden", 1), second, "dense"),
    ]


@pytest.mark.parametrize(
    "net",
    [
        "{name: mlp, hidden: [{units: 4, repeat: 10001}, {units: 4, repeat: 10000}]}",
        "{name: autoencoder, hidden: [{units: 4, repeat: 20000}, 3]}",
        "{name: cnn, convolutions: [{filters: 4, repeat: 20000}], hidden: [4]}",
        "{name: resnet, blocks: [{units: 4, depth: 2000, repeat: 11}]}",
        "{name: resnet, stem: {filters: 4, repeat: 20000}, blocks: [{filters: 4, depth: 1}]}",
        "{name: rnn, recurrent: [{units: 4, repeat: 20000}], hidden: [4]}",
    ],
)
def test_so_many_layers_are_a_typing_error(net: str) -> None:
    started = time.process_time()
    (said,) = refusal_of(f"data: digits\narchitecture: {net}\n")
    assert said.endswith("layers; more than 20,000 are a typing error")
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "net",
    [
        "{name: resnet, blocks: [{units: 4, depth: 1000000000000}]}",
        "{name: cnn, convolutions: [{filters: 4, stride: 1000000000000000000000}]}",
        "{name: cnn, convolutions: [{filters: 4, kernel: 1000000000000000000000}]}",
        "{name: cnn, convolutions: [{filters: 4, pool: 1000000000000000000000}]}",
        "{name: torchvision, model: resnet18, size: 1000000000000000000000}",
    ],
)
def test_what_no_machine_can_count_is_refused(net: str) -> None:
    (said,) = refusal_of(f"data: mnist\narchitecture: {net}\n")
    assert "000 is not at most " in said
