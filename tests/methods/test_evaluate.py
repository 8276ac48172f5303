from __future__ import annotations

import json
from pathlib import Path

import pytest

from dnnlab.errors import DataError
from dnnlab.methods.evaluate import evaluate_split
from dnnlab.methods.trained import load_trained
from dnnlab.runs.records import read_json
from tests.support import DIGITS, finished_run

DIABETES = """
data: diabetes
architecture: {name: mlp, hidden: [16]}
training: {epochs: 2, batch_size: 64, threads: 1}
"""


@pytest.mark.parametrize("text", [DIGITS, DIABETES], ids=["classification", "regression"])
@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_it_gives_what_the_training_gave(text: str, split: str, tmp_path: Path) -> None:
    path = finished_run(tmp_path, text)
    found = evaluate_split(load_trained(path), split)
    assert found["metrics"] == read_json(path / "result.json")["metrics"][split]
    assert found["split"] == split
    assert found["examples"] == read_json(path / "data.json")["sizes"][split]


def test_a_split_that_was_not_set_aside(tmp_path: Path) -> None:
    path = finished_run(tmp_path, DIGITS, "data.validation=null")
    with pytest.raises(DataError, match="there is no validation split"):
        evaluate_split(load_trained(path), "validation")


def test_other_data_are_refused(tmp_path: Path) -> None:
    path = finished_run(tmp_path)
    about = json.loads((path / "data.json").read_text())
    about["fingerprint"] = "0" * 64
    (path / "data.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match="not those the run was trained on"):
        evaluate_split(load_trained(path), "test")
