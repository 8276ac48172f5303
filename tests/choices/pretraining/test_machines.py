from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dnnlab.choices.datasets import Signature
from dnnlab.methods.session import assemble
from dnnlab.training.evaluation import evaluate
from tests.support import config_file, experiment_of, refusal_of

DIGITS = Signature((8, 8), 10, "classification")
TEXT = """
data: {name: digits, standardize: %s}
architecture: {name: mlp, hidden: [20, 10]}
activation: sigmoid
pretraining: rbm
training: {epochs: {updates: 14}, batch_size: 40, threads: 1}
"""


def test_inputs_of_0_to_1_are_probabilities_and_standardized_ones_are_not() -> None:
    ranged, standardized = (experiment_of(TEXT % word) for word in ("range", "per_feature"))
    assert ranged.pretraining.visible == "bernoulli"  # type: ignore[union-attr]
    assert standardized.pretraining.visible == "gaussian"  # type: ignore[union-attr]
    assert "output_sigmoid" in dict(ranged.network(DIGITS).module.named_children())
    assert "output_sigmoid" not in dict(standardized.network(DIGITS).module.named_children())


def test_units_of_machines_are_logistic_whatever_the_net_has() -> None:
    text = (TEXT % "range").replace("activation: sigmoid", "activation: relu")
    text = text.replace("[20, 10]", "[20, {units: 10, activation: elu}]")
    names = [name for name, _ in experiment_of(text).network(DIGITS).module.named_children()]
    assert names == [
        "flatten", "dense1", "sigmoid1", "dense2", "sigmoid2", "dense3", "sigmoid3", "output",
        "output_sigmoid",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["range", "per_channel"])
def test_one_machine_learns_after_the_other_and_what_comes_back_is_nearer(
    word: str, tmp_path: Path
) -> None:
    text = (TEXT % word).replace("updates: 14", "updates: 400")
    session = assemble(config_file(tmp_path, text + "optimizer: {name: sgd, lr: 0.02}\n"))
    assert session.data.validation is not None
    measured = (session.state.network, session.data.validation, session.data.scaling)
    before = evaluate(*measured, session.experiment)
    begun = session.state.copy_of_network()
    session.engine.advance(200)
    half = session.state.copy_of_network()
    session.engine.advance(400)
    end = session.state.copy_of_network()
    outer = {"dense1.weight", "dense1.bias", "output.bias"}
    for name in end:
        assert torch.equal(begun[name], half[name]) == (name not in outer), name
        assert torch.equal(half[name], end[name]) == (name in outer), name
    after = evaluate(*measured, session.experiment)
    assert list(after) == ["loss"]
    assert after["loss"] < 0.95 * before["loss"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("normalization: batch\n", "normalization: a Boltzmann machine has weights and biases"),
        (
            "normalization: {name: batch, input: true}\n",
            "normalization.input: a Boltzmann machine has weights and biases",
        ),
        ("regularization: {dropout: 0.2}\n", "regularization.dropout: a Boltzmann machine has"),
        (
            "regularization: {dropout: {rate: 0.2, where: {top: 1}}}\n",
            "regularization.dropout: a Boltzmann machine has",
        ),
    ],
)
def test_what_machines_have_not(more: str, expected: str) -> None:
    found = refusal_of(TEXT % "range" + more)
    assert any(sentence.split(" ", 1)[1].startswith(expected) for sentence in found), found


def test_a_layers_own_settings_are_refused_where_they_stand() -> None:
    text = (TEXT % "range").replace("10]", "{units: 10, normalization: layer}]")
    (sentence,) = refusal_of(text)
    assert sentence.startswith("3:67 architecture.hidden[1].normalization: a Boltzmann"), sentence


def test_standardized_inputs_are_no_probabilities() -> None:
    text = (TEXT % "per_feature").replace("rbm", "{name: rbm, visible: bernoulli}")
    (sentence,) = refusal_of(text)
    assert sentence.startswith("5:35 pretraining.visible: bernoulli units are 0 to 1"), sentence
