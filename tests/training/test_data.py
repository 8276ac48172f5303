from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnnlab.choices.datasets import Examples, Holdout
from dnnlab.choices.datasets.bundled import Diabetes, Digits
from dnnlab.choices.datasets.table import Csv
from dnnlab.errors import DataError
from dnnlab.training.data import Scaling, prepare


def test_inputs_are_standardized_by_the_training_split_alone() -> None:
    data = prepare(Digits())
    raw = Digits().read()
    rest, held = Digits().validation.divide(raw.train, "validation")  # type: ignore[union-attr]
    mean, sd = rest.inputs.mean(axis=0, dtype="float64"), rest.inputs.std(axis=0, dtype="float64")
    sd[sd == 0] = 1
    assert data.validation is not None
    for split, examples in ((data.train, rest), (data.validation, held), (data.test, raw.test)):
        expected = (examples.inputs - mean) / sd
        np.testing.assert_allclose(split.inputs.numpy(), expected, rtol=1e-4, atol=1e-5)
    assert data.train.inputs.mean().item() == pytest.approx(0, abs=1e-6)


def test_a_pixel_that_never_varies_becomes_zero() -> None:
    """The corner of a digit is 0 in every image of the training split."""
    assert not prepare(Digits()).train.inputs[:, 0, 0].any()


def test_range_and_none() -> None:
    ranged = prepare(Digits(standardize="range")).train.inputs
    assert (ranged.min().item(), ranged.max().item()) == (0, 1)
    assert prepare(Digits(standardize="none")).train.inputs.max() == 16


def test_without_a_validation_split() -> None:
    data = prepare(Digits(validation=None))
    assert data.validation is None
    assert list(data.splits()) == ["train", "test"]
    assert data.to_json()["sizes"] == {"train": 1438, "test": 359}


def test_regression_targets_are_standardized_and_can_be_undone() -> None:
    data = prepare(Diabetes())
    assert data.train.targets.shape == (len(data.train), 1)
    assert data.train.targets.mean().item() == pytest.approx(0, abs=1e-6)
    assert data.train.targets.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    undone = data.test.targets * data.scaling.target_scale + data.scaling.target_shift
    np.testing.assert_allclose(undone[:, 0], Diabetes().read().test.targets, rtol=1e-4)


def test_the_scaling_survives_json() -> None:
    scaling = prepare(Diabetes()).scaling
    back = Scaling.from_json(scaling.to_json())
    raw = Diabetes().read().test
    assert torch.equal(back.inputs(raw.inputs), scaling.inputs(raw.inputs))
    assert torch.equal(back.targets(raw.targets), scaling.targets(raw.targets))


class Gaps(Diabetes):
    """Diabetes with inputs of the test's own."""

    def read(self) -> Any:
        source = super().read()
        part = source.train if self.where == "train" else source.test
        inputs = part.inputs.copy()
        inputs[: self.holes, 2] = self.hole
        changed = Examples(inputs, part.targets)
        source = replace(source, fill_gaps=self.fill)
        if self.where == "train":
            return replace(source, train=changed)
        return replace(source, test=changed)

    holes: int = 5
    hole: float = float("nan")
    fill: bool = True
    where: str = "train"
    model_config = {"allow_inf_nan": True}


@pytest.mark.parametrize("where", ["train", "test"])
def test_missing_inputs_become_the_training_mean(where: str) -> None:
    """In every split, whether or not the training split has a gap itself."""
    data = prepare(Gaps(validation=None, where=where))
    filled = data.splits()[where].inputs
    assert not filled.isnan().any()
    # The mean of the column, standardized, is 0.
    assert filled[:5, 2].abs().max().item() < 1e-5


def test_inputs_that_cannot_be_scaled_are_refused() -> None:
    with pytest.raises(DataError, match="no value in the training split"):
        prepare(Gaps(validation=None, holes=400))
    for where in ("train", "test"):
        for hole in (float("inf"), float("nan")):
            with pytest.raises(DataError, match=f"inputs of the {where} split are missing or not"):
                prepare(Gaps(validation=None, hole=hole, fill=False, where=where))


def test_a_table_is_scaled_before_it_is_rounded(tmp_path: Path) -> None:
    """Seconds since 1970 differ in the digits that float32 has not."""
    rows = [f"{1_700_000_000 + i},{i % 7}" for i in range(60)]
    path = tmp_path / "t.csv"
    path.write_text("time,y\n" + "\n".join(rows) + "\n")
    chosen = {"path": str(path), "target": "y", "task": "regression", "validation": None}
    inputs = prepare(Csv.model_validate(chosen)).train.inputs[:, 0]
    assert inputs.std(correction=0).item() == pytest.approx(1, rel=1e-6)
    assert len(set(inputs.tolist())) == len(inputs)


def test_range_is_by_column_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n" + "\n".join(f"{i},{1000 * i},{i}" for i in range(50)) + "\n")
    chosen = {"path": str(path), "target": "y", "task": "regression", "standardize": "range"}
    inputs = prepare(Csv.model_validate(chosen)).train.inputs
    assert inputs.amin(0).tolist() == [0, 0]
    assert inputs.amax(0).tolist() == [1, 1]


def test_the_fingerprint_is_that_of_the_examples_and_their_splits() -> None:
    first = prepare(Digits()).fingerprint
    assert first == prepare(Digits(standardize="none")).fingerprint
    assert first != prepare(Digits(validation=Holdout(first=100))).fingerprint
    assert first != prepare(Digits(test=Holdout(fraction=0.2, seed=1))).fingerprint


def test_moving_data_changes_floats_only() -> None:
    moved = prepare(Diabetes()).to(torch.device("cpu"), torch.float64)
    assert moved.train.inputs.dtype == moved.train.targets.dtype == torch.float64
    digits = prepare(Digits()).to(torch.device("cpu"), torch.float64)
    assert digits.train.targets.dtype == torch.int64
