from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from dnnlab.choices.datasets import Holdout
from dnnlab.choices.datasets.augmentation import Augmentation
from dnnlab.choices.datasets.bundled import Digits
from dnnlab.choices.datasets.table import Csv
from dnnlab.config.read import read
from dnnlab.errors import ConfigError
from dnnlab.methods.session import assemble
from dnnlab.randomness import key
from dnnlab.training.data import prepare
from tests.support import DIGITS, config_file, refusal_of, same_tensors


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shift": 1, "crop": 1}, "shift and crop are the same"),
        ({}, "give one of shift, flip, crop, cutout"),
        ({"flip": False}, "give one of shift, flip, crop, cutout"),
        ({"shift": -1}, "greater than or equal to 0"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Augmentation.model_validate(settings)


def test_a_crop_is_a_shift() -> None:
    images = torch.randn(20, 8, 8, generator=torch.Generator().manual_seed(1))
    one, other = (
        each.build()(images, torch.Generator().manual_seed(2))
        for each in (Augmentation(shift=3), Augmentation(crop=3))
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, images)


def test_only_images_are_augmented() -> None:
    text = DIGITS.replace("data: digits", "data: {name: wine, augmentation: {flip: true}}")
    assert refusal_of(text) == [
        "2:34 data.augmentation: is for images, but an example is 13 numbers"
    ]


def test_a_table_refuses_it_once_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "\n".join(f"{i},{i % 2}" for i in range(90)) + "\n")
    data = "{name: csv, path: t.csv, target: y, task: classification, augmentation: {flip: true}}"
    text = DIGITS.replace("data: digits", f"data: {data}")
    with pytest.raises(ConfigError) as caught:
        assemble(config_file(tmp_path, text))
    assert "is for images" in caught.value.problems[0].message
    assert Csv.family == "data"


@pytest.mark.parametrize("word", ["shift", "crop", "cutout"])
def test_an_image_is_not_lost_altogether(word: str) -> None:
    text = DIGITS.replace("data: digits", f"data: {{name: digits, augmentation: {{{word}: 8}}}}")
    assert "8 pixels are a whole side of an image of 8 x 8" in refusal_of(text)[0]


def test_an_autoencoder_gives_back_what_it_was_given(tmp_path: Path) -> None:
    """Its targets are the changed images: mse of the first batch by hand, before any update."""
    text = DIGITS.replace("name: mlp, hidden: [16]", "name: autoencoder, hidden: [16, 4]")
    text = text.replace("data: digits", "data: {name: digits, augmentation: {shift: 2}}")
    session = assemble(config_file(tmp_path, text))
    order = torch.randperm(
        len(session.data.train), generator=torch.Generator().manual_seed(key(42, "order", 0))
    )
    augment = session.data.augmenter(Augmentation(shift=2), 42)
    inputs = augment(session.data.train.inputs[order[:64]], 0)
    with torch.no_grad():
        outputs = session.state.network.module(inputs)
    expected = (outputs - inputs.flatten(1)).square().mean().item()
    # Sums of 4,096 numbers in float32, in another order.
    assert session.engine.advance(1).losses[0] == pytest.approx(expected, rel=1e-5)


AUGMENTED = DIGITS.replace(
    "data: digits", "data: {name: digits, augmentation: {shift: 1, flip: true, cutout: 2}}"
)


def test_a_training_is_changed_by_it_and_its_evaluation_is_not(tmp_path: Path) -> None:
    plain = assemble(config_file(tmp_path))
    changed = assemble(config_file(tmp_path, AUGMENTED))
    assert torch.equal(plain.state.weights, changed.state.weights)
    for name, split in plain.data.splits().items():
        assert torch.equal(split.inputs, changed.data.splits()[name].inputs)
    plain_losses, losses = plain.engine.advance(3).losses, changed.engine.advance(3).losses
    assert all(one != other for one, other in zip(plain_losses, losses, strict=True))


def test_it_is_a_function_of_seed_and_update(tmp_path: Path) -> None:
    """In one stretch or in three: the same bits."""
    config = read(config_file(tmp_path, AUGMENTED).subject)
    whole, parts = assemble(config), assemble(config)
    losses = whole.engine.advance(6).losses
    assert losses == [loss for until in (1, 4, 6) for loss in parts.engine.advance(until).losses]
    assert same_tensors(whole.state.network_tensors(), parts.state.network_tensors())
    data = prepare(Digits(validation=Holdout(first=10)))
    inputs = data.train.inputs[:50]
    seven = data.augmenter(Augmentation(shift=2), 7)
    assert torch.equal(seven(inputs, 3), data.augmenter(Augmentation(shift=2), 7)(inputs, 3))
    assert not torch.equal(seven(inputs, 3), seven(inputs, 4))
    eight = data.augmenter(Augmentation(shift=2), 8)
    assert not torch.equal(seven(inputs, 3), eight(inputs, 3))
