from __future__ import annotations

from dnnlab.choices.architectures.layered import Layered, entries_of
from dnnlab.choices.architectures.layers import DenseLayer
from dnnlab.choices.initializers.scaling import AutoInitializer
from tests.support import experiment_of

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
