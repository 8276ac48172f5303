"""What holds for all ways of pretraining."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dnnlab.choices.datasets import Signature
from dnnlab.config.read import read
from dnnlab.experiment import Experiment
from dnnlab.methods.evaluate import evaluate_split
from dnnlab.methods.session import Session, assemble
from dnnlab.methods.trained import load_trained
from dnnlab.runs.records import read_json
from tests.support import config_file, experiment_of, finished_run, refusal_of
from tests.variations import CHOICES, text_of

WAYS = [lines for family, _, lines in CHOICES if family == "pretraining"]
DIGITS = Signature((8, 8), 10, "classification")
START = "data: digits\narchitecture: {name: mlp, hidden: [6, 5]}\n"


def name_of(lines: str) -> str:
    return lines.replace("\n", "; ")[:70]


def session_of(lines: str, folder: Path, *options: str) -> Session:
    return assemble(config_file(folder, text_of(lines, folder), *options))


def without_pretraining(experiment: Experiment) -> Experiment:
    plain = {"pretraining": None, "loss": Experiment.model_fields["loss"].default, "metrics": ()}
    return experiment.model_copy(update=plain).resolved()


@pytest.mark.parametrize("lines", WAYS, ids=name_of)
def test_layers_that_are_reused_are_called_as_they_are_without_it(
    lines: str, tmp_path: Path
) -> None:
    session = session_of(lines, tmp_path)
    plain = without_pretraining(session.experiment).network(session.data.signature)
    tensors = {**session.state.network_tensors()}
    own = {**dict(plain.module.named_parameters()), **dict(plain.module.named_buffers())}
    *reused, output = plain.layers()
    assert output.name == "output"
    assert len(reused) >= 2
    for layer in reused:
        for name in layer.tensors:
            assert tensors[name].shape == own[name].shape, name
    known = {layer.name: layer for layer in session.state.network.layers()}
    assert [known[layer.name].tensors for layer in reused] == [each.tensors for each in reused]


@pytest.mark.parametrize("lines", WAYS, ids=name_of)
def test_the_exam_does_not_depend_on_the_trainings_seed(lines: str, tmp_path: Path) -> None:
    first, other = (session_of(lines, tmp_path, f"training.seed={seed}").data for seed in (1, 2))
    for one, two in zip(first.splits().values(), other.splits().values(), strict=True):
        assert torch.equal(one.inputs, two.inputs)
        assert torch.equal(one.targets.nan_to_num(), two.targets.nan_to_num())
    assert len(first.splits()) == 3


@pytest.mark.parametrize("lines", WAYS, ids=name_of)
def test_a_finished_run_is_measured_again_as_it_was(lines: str, tmp_path: Path) -> None:
    path = finished_run(tmp_path, text_of(lines, tmp_path))
    result = read_json(path / "result.json")
    trained = load_trained(path)
    for split, measured in result["metrics"].items():
        again = evaluate_split(trained, split)["metrics"]
        assert again == pytest.approx(measured, rel=1e-5)
        assert "loss" in measured
    assert read(path / "config.yaml").experiment.pretraining == trained.experiment.pretraining


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("pretraining: rbm\nloss: mse", "4:7 loss: pretraining rbm has its own here; leave it out"),
        ("pretraining: gan\nmetrics: [accuracy]", "4:10 metrics: pretraining gan has its own here"),
        (
            "pretraining: gan\ntraining: {monitor: accuracy}",
            "4:21 training.monitor: accuracy cannot be what is made small; loss or generator_loss",
        ),
        (
            "pretraining: {name: autoencoder, greedy: true}\n"
            "regularization: {label_smoothing: 0.1}",
            "4:35 regularization.label_smoothing: pretraining autoencoder has its own here loss",
        ),
        ("pretraining: pairs\nmetrics: [top_k]", "4:11 metrics[0]: top_5 of 2 classes is always 1"),
        (
            "pretraining: pairs\nloss: binary_cross_entropy",
            "4:7 loss: binary_cross_entropy has one output; use cross_entropy",
        ),
        (
            "pretraining: rbm\ntransfer: {}",
            "4:11 transfer: is for the training that reuses what pretraining has found",
        ),
    ],
)
def test_what_excludes_each_other_is_said_with_its_line(more: str, expected: str) -> None:
    (sentence,) = refusal_of(f"{START}{more}\n")
    assert sentence.startswith(expected), sentence


@pytest.mark.parametrize("more", ["pretraining: rbm", "pretraining: gan"])
def test_a_net_that_teaches_itself_has_no_loss_or_metric_of_the_experiments(more: str) -> None:
    experiment = experiment_of(f"{START}activation: sigmoid\n{more}\n")
    assert (experiment.loss.name, experiment.metrics) == ("auto", ())
    assert experiment.network(DIGITS).self_taught is not None
