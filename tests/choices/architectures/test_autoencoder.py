from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from dnnlab.choices.datasets import Signature
from dnnlab.methods.session import assemble
from tests.support import config_file, experiment_of, refusal_of

TEXT = """
data: digits
architecture: {name: autoencoder, hidden: [30, 8]}
training: {epochs: {updates: 60}, threads: 1}
optimizer: {name: nadam, lr: 0.01}
"""


def test_the_decoder_mirrors_the_encoder() -> None:
    module = experiment_of(TEXT).network(Signature((8, 8), 10, "classification")).module
    layers = ("dense1", "dense2", "dense3")
    widths = [len(module.get_parameter(f"{name}.weight")) for name in layers]
    assert widths == [30, 8, 30]
    assert module(torch.empty(2, 8, 8, device="meta")).shape == (2, 64)


def test_targets_are_the_inputs_and_the_loss_falls(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path, TEXT))
    train = session.data.train
    assert torch.equal(train.targets, train.inputs.flatten(1))
    assert train.targets.data_ptr() == train.inputs.data_ptr(), "no second copy"
    losses = session.engine.advance(60).losses
    assert losses[-1] < 0.75 * losses[0]


def test_the_task_is_neither_classes_nor_one_number() -> None:
    experiment = experiment_of(TEXT)
    assert (experiment.task, experiment.loss.name) == ("reconstruction", "mse")
    assert [metric.name for metric in experiment.metrics] == ["mae", "rmse"]
    (sentence,) = refusal_of(TEXT + "loss: cross_entropy\n")
    assert "cross_entropy is for classification, but data are for reconstruction" in sentence


def test_the_mirror_of_layers_that_repeat() -> None:
    text = TEXT.replace("[30, 8]", "[20, {units: 6, repeat: 2}]")
    module = experiment_of(text).network(Signature((8, 8), 10, "classification")).module
    widths = [len(module.get_parameter(f"dense{n}.weight")) for n in range(1, 6 - 0) if n < 6]
    assert widths == [20, 6, 6, 6, 20]


def test_labels_do_not_matter(tmp_path: Path) -> None:
    """One class alone is how one learns what is usual."""
    np.savez(tmp_path / "one.npz", inputs=np.random.rand(60, 5), targets=np.zeros(60, dtype=int))
    text = TEXT.replace("digits", "{name: npz, path: %s}" % (tmp_path / "one.npz"))
    assert len(assemble(config_file(tmp_path, text)).data.train) > 0
