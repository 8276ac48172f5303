from __future__ import annotations

from dnnlab.choices.datasets import Signature
from tests.support import experiment_of, refusal_of

DIGITS = Signature((8, 8), 10, "classification")
TEXT = """
data: digits
architecture: {name: mlp, hidden: [6, {units: 5, repeat: 2}]}
activation: elu
normalization: batch
regularization: {l2: 1e-3, max_norm: 1, dropout: 0.1}
pretraining: {name: gan, codings: 4}
"""
CNN = "{name: cnn, convolutions: [4]%s}"


def test_the_generator_mirrors_the_net_and_has_nothing_but_layers() -> None:
    experiment = experiment_of(TEXT)
    assert experiment.pretraining.generator == (5, 5, 6)  # type: ignore[union-attr]
    network = experiment.network(DIGITS)
    generator = network.module.get_submodule("generator")
    names = [name for name, _ in generator.named_children()]
    assert names == ["dense1", "elu1", "dense2", "elu2", "dense3", "elu3", "output"]
    shapes = [tuple(p.shape) for name, p in generator.named_parameters() if "weight" in name]
    assert shapes == [(5, 4), (5, 5), (6, 5), (64, 6)]
    penalized = {kernel.name for kernel in network.kernels if kernel.l2 or kernel.max_norm}
    assert penalized == {"dense1.weight", "dense2.weight", "dense3.weight", "output.weight"}
    assert network.module.get_parameter("output.weight").shape == (1, 5)


def test_its_layers_can_be_named_and_have_to_be_where_none_can_be_mirrored() -> None:
    mlp = "{name: mlp, hidden: [6, {units: 5, repeat: 2}]}"
    named = TEXT.replace("codings: 4", "codings: 4, generator: [9]")
    for text, expected in (
        (named, (9,)),
        (named.replace(mlp, CNN % ""), (9,)),
        (TEXT.replace(mlp, CNN % ", hidden: [7, 8]"), (8, 7)),
    ):
        assert experiment_of(text).pretraining.generator == expected  # type: ignore[union-attr]
    (sentence,) = refusal_of(TEXT.replace(mlp, CNN % ""))
    assert sentence.startswith("7:14 pretraining: generator: units of its hidden layers"), sentence
