from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from dnnlab.errors import ConfigError
from dnnlab.kernels.lessons import Pairing, turned
from dnnlab.methods.session import assemble
from dnnlab.randomness import key
from dnnlab.training.eager import EagerEngine
from tests.support import config_file, refusal_of

ROTATION = """
data: {name: digits, standardize: per_channel}
architecture: {name: mlp, hidden: [6, 5]}
pretraining: rotation
training: {epochs: {updates: 14}, batch_size: 40, threads: 1}
"""
PAIRS = ROTATION.replace("rotation", "pairs")


def test_the_exam_has_the_images_turned_and_says_by_how_much(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path, ROTATION))
    plain = assemble(config_file(tmp_path, ROTATION.replace("pretraining: rotation\n", "")))
    for name, exam in session.data.splits().items():
        upright = plain.data.splits()[name].inputs
        assert set(exam.targets.tolist()) == {0, 1, 2, 3}
        first = zip(upright[:50], exam.inputs, exam.targets, strict=False)
        for image, seen, quarters in first:
            np.testing.assert_array_equal(np.rot90(image.numpy(), int(quarters)), seen.numpy())
    assert session.state.network.module(session.data.test.inputs).shape[1] == 4


def test_hits_are_those_of_the_lesson(tmp_path: Path) -> None:
    """With weights of 0 each is taken for the first: as many hits as there are of it."""
    session = assemble(config_file(tmp_path, ROTATION))
    session.state.weights.zero_()
    stretch = session.engine.advance(1)
    assert 2 <= stretch.hits[0] <= 20  # 40 of 4 kinds: 10, one sd is 2.7
    generator = torch.Generator().manual_seed(key(42, "lesson", 0))
    _, quarters = turned(torch.zeros(40, 8, 8), generator)
    assert stretch.hits == [int((quarters == 0).sum())]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("digits", "2:1 data.standardize: per_feature scales every pixel by itself"),
        ("{name: wine, standardize: range}", "4:14 pretraining: rotation is for images, but"),
    ],
)
def test_what_cannot_be_turned(data: str, expected: str) -> None:
    (sentence,) = refusal_of(ROTATION.replace("{name: digits, standardize: per_channel}", data))
    assert sentence.startswith(expected), sentence


def test_images_that_are_not_square_are_refused_once_they_are_read(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    inputs, targets = random.normal(size=(90, 3, 4, 5)), np.arange(90) % 3
    np.savez(tmp_path / "wide.npz", inputs=inputs, targets=targets)
    data = "{name: npz, path: wide.npz, channels: first, standardize: range}"
    text = ROTATION.replace("{name: digits, standardize: per_channel}", data)
    with pytest.raises(ConfigError) as caught:
        assemble(config_file(tmp_path, text))
    (problem,) = caught.value.problems
    assert "rotation is for square images; those of 3 x 4 x 5 would" in problem.message


def test_both_examples_go_through_the_same_layers_to_the_distance(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path, PAIRS))
    exam, network = session.data.test, session.state.network
    assert exam.inputs.shape[1:] == (2, 8, 8)
    w1, b1, w2, b2, w3, b3 = (p.detach() for p in network.module.parameters())

    def codings(images: torch.Tensor) -> torch.Tensor:
        return ((images.flatten(1) @ w1.T + b1).relu() @ w2.T + b2).relu()

    apart = (codings(exam.inputs[:, 0]) - codings(exam.inputs[:, 1])).abs()
    torch.testing.assert_close(network.module(exam.inputs).detach(), apart @ w3.T + b3)


def test_the_exams_pairs_are_of_one_class_where_they_say_so(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path, PAIRS))
    plain = assemble(config_file(tmp_path, PAIRS.replace("pretraining: pairs\n", "")))
    for name, exam in session.data.splits().items():
        split = plain.data.splits()[name]
        assert torch.equal(exam.inputs[:, 0], split.inputs)
        same = 0
        for pair, target, own in zip(exam.inputs, exam.targets, split.targets, strict=True):
            found = (split.inputs == pair[1]).flatten(1).all(1)
            assert bool(((split.targets[found] == own) == bool(target)).any())
            same += int(target)
        assert same == (len(exam) + 1) // 2


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{name: digits, standardize: per_channel}",
            "diabetes",
            "4:14 pretraining: pairs are of the same class or not, but data are for regression",
        ),
        (
            "{name: mlp, hidden: [6, 5]}",
            "{name: torchvision, model: resnet18}",
            "4:14 pretraining: pairs compares what stands before the output",
        ),
    ],
)
def test_what_makes_no_pairs(old: str, new: str, expected: str) -> None:
    (sentence,) = refusal_of(PAIRS.replace(old, new))
    assert sentence.startswith(expected), sentence


def test_an_update_learns_from_pairs_of_its_own_rows(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path, PAIRS))
    engine = session.engine
    assert isinstance(engine, EagerEngine)
    split, rows = engine.train, engine.order.rows(0)
    generator = torch.Generator().manual_seed(key(42, "lesson", 0))
    pairs, alike = Pairing(split.targets)(split.inputs[rows], rows, split.inputs, generator)
    with torch.no_grad():
        outputs = session.state.network.module(pairs)
    stretch = engine.advance(1)
    assert stretch.losses[0] == pytest.approx(cross_entropy(outputs, alike).item(), rel=1e-5)
    assert stretch.hits == [int((outputs.argmax(1) == alike).sum())]
