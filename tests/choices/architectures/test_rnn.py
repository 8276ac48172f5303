from __future__ import annotations

import pytest
import torch

from dnnlab.choices.datasets import Signature
from dnnlab.training.state import State
from tests.support import experiment_of, refusal_of

IMAGES = Signature((8, 6), 10, "classification")
START = "data: digits\narchitecture: {name: rnn, %s}\n"


def state_of(settings: str, signature: Signature = IMAGES) -> State:
    experiment = experiment_of(START % settings)
    return State.fresh(
        experiment.network(signature),
        experiment.optimizer,
        seed=0,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


@pytest.mark.parametrize(("cell", "gates"), [("lstm", 4), ("gru", 3)])
def test_parameters_are_those_of_the_formula(cell: str, gates: int) -> None:
    """A kernel for the inputs and one for the memory per gate; torch keeps two biases for each."""
    network = state_of(f"cell: {cell}, recurrent: [5]").network
    assert network.num_trainable == gates * (6 * 5 + 5 * 5 + 2 * 5) + (5 * 10 + 10)
    assert [kernel.uses for kernel in network.kernels] == [8, 8, 1]


def test_first_values_are_filled_gate_by_gate() -> None:
    tensors = state_of("recurrent: [50]").network_tensors()
    memory = tensors["lstm1.cell.weight_hh_l0"]
    for gate in range(4):
        kernel = memory[50 * gate : 50 * (gate + 1)]
        torch.testing.assert_close(kernel @ kernel.T, torch.eye(50), rtol=0, atol=1e-5)
    forget = torch.cat([torch.zeros(50), torch.ones(50), torch.zeros(100)])
    assert torch.equal(tensors["lstm1.cell.bias_ih_l0"], forget)
    assert torch.equal(tensors["lstm1.cell.bias_hh_l0"], torch.zeros(200))
    radius = (6 / (6 + 50)) ** 0.5  # Glorot's, of one gate
    largest = float(tensors["lstm1.cell.weight_ih_l0"].abs().max())
    assert 0.98 * radius < largest <= radius


def test_steps_are_rows_of_images_columns_or_groups() -> None:
    shapes = {}
    for name, settings, signature in (
        ("image", "recurrent: [4]", IMAGES),
        ("colour", "recurrent: [4]", Signature((3, 8, 6), 10, "classification")),
        ("table", "recurrent: [4]", Signature((12,), 10, "classification")),
        ("groups", "recurrent: [4], steps: 4", Signature((16,), 10, "classification")),
    ):
        state = state_of(settings, signature)
        shapes[name] = state.network_tensors()["lstm1.cell.weight_ih_l0"].shape[1]
        inputs = torch.zeros((2, *signature.input_shape))
        assert state.network.module(inputs).shape == (2, 10)
    assert shapes == {"image": 6, "colour": 18, "table": 1, "groups": 4}


def test_both_directions_give_twice_the_outputs() -> None:
    tensors = state_of("recurrent: [4, 3], bidirectional: true").network_tensors()
    assert tensors["lstm2.cell.weight_ih_l0"].shape == (4 * 3, 8)
    assert tensors["output.weight"].shape == (10, 6)


@pytest.mark.parametrize(
    ("settings", "more", "said"),
    [
        ("recurrent: [4], steps: 7", "", "64 numbers cannot be divided into 7 steps"),
        (
            "recurrent: [{units: 4, activation: relu}]",
            "",
            "the activations of lstm cells are fixed",
        ),
        ("recurrent: [4]", "normalization: batch\n", "batch normalization is not for recurrent"),
        (
            "recurrent: [4]",
            "normalization: {name: batch, input: true}\n",
            "rnn reads sequences: data.standardize scales them",
        ),
    ],
)
def test_what_recurrent_layers_cannot_have(settings: str, more: str, said: str) -> None:
    assert any(said in sentence for sentence in refusal_of(START % settings + more))


def test_recurrent_dropout_needs_a_memory() -> None:
    (sentence,) = refusal_of(
        "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"
        "regularization: {dropout: {rate: 0.1, kind: recurrent}}\n"
    )
    assert sentence.endswith("recurrent dropout is for recurrent layers, and reaches none here")


def test_bias_initializers_fill_one_of_the_two_biases() -> None:
    experiment = experiment_of(START % "recurrent: [3]" + "bias_initializer: ones\n")
    state = State.fresh(
        experiment.network(IMAGES),
        experiment.optimizer,
        seed=0,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    tensors = state.network_tensors()
    assert torch.equal(tensors["lstm1.cell.bias_ih_l0"], torch.ones(12))
    assert torch.equal(tensors["lstm1.cell.bias_hh_l0"], torch.zeros(12))


@pytest.mark.parametrize(
    ("settings", "dropout", "said"),
    [
        ("recurrent: [4], hidden: [5]", "{rate: 0.1, kind: recurrent, where: {top: 1}}", "reaches"),
        ("recurrent: [4]", "{rate: 0.1, kind: recurrent, where: input}", "reaches none here"),
        (
            "recurrent: [4], hidden: [{units: 5, dropout: {rate: 0.1, kind: recurrent}}]",
            "0.0",
            "recurrent dropout is for recurrent layers, and this one is dense",
        ),
        ("recurrent: [4]", "{rate: 0.1, kind: spatial}", "spatial dropout is for convolution"),
    ],
)
def test_dropout_that_no_layer_can_have(settings: str, dropout: str, said: str) -> None:
    (sentence,) = refusal_of(START % settings + f"regularization: {{dropout: {dropout}}}\n")
    assert said in sentence
