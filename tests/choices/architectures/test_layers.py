from __future__ import annotations

from dnnlab.choices.architectures.layers import Layer
from tests.support import experiment_of, refusal_of

START = "data: digits\narchitecture: {name: mlp, hidden: [%s]}\n"


def layers(entries: str, more: str = "") -> list[Layer]:
    return list(experiment_of(START % entries + more).layers())


def test_a_repeated_entry_is_as_many_layers() -> None:
    found = layers("8, {units: 4, repeat: 3}")
    assert [layer.width for layer in found] == [8, 4, 4, 4]
    assert [layer.path[-1] for layer in found] == [0, 1, 1, 1]


def test_what_an_entry_says_wins_and_is_where_it_comes_from() -> None:
    more = "regularization: {l2: 0.5, dropout: 0.25}\nnormalization: batch\n"
    net, own = layers("8, {units: 4, l2: 0, dropout: 0, normalization: none}", more)
    assert (net.l2, own.l2) == (0.5, 0)
    assert net.place("l2") == ("regularization", "l2")
    assert own.place("l2") == ("architecture", "hidden", 1, "l2")
    assert (net.normalization.name, own.normalization.name) == ("batch", "none")
    assert net.place("normalization") == ("normalization",)
    assert net.place("use_bias") == ("architecture", "use_bias")
    assert net.dropout is not None
    assert own.dropout is None


def test_dropout_reaches_the_top_layers_only_where_it_says_so() -> None:
    more = "regularization: {dropout: {rate: 0.25, where: {top: 2}}}\n"
    found = layers("{units: 4, repeat: 3}", more)
    assert [layer.dropout is not None for layer in found] == [False, True, True]


def test_a_layers_own_activation_brings_its_initializer() -> None:
    relu, selu = layers("8, {units: 4, activation: selu}")
    assert (relu.initializer.name, selu.initializer.name) == ("he_normal", "lecun_normal")


def test_biases_are_left_out_only_where_they_would_do_nothing() -> None:
    place = "normalization: {name: batch, place: before_activation}"
    found = layers("8, {units: 4, normalization: none}, {units: 4, use_bias: true}", place)
    assert [layer.use_bias for layer in found] == [False, True, True]


def test_a_dense_layer_needs_units() -> None:
    assert "architecture.hidden[0].units is missing" in "".join(refusal_of(START % "{l2: 1}"))
