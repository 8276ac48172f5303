from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dnnlab.errors import RunError
from dnnlab.runs.heritage import REUSED, Heritage, inherited


def run_with(folder: Path, parent: object) -> Path:
    (folder / "run.json").write_text(json.dumps({"parent": parent}))
    return folder


def test_what_is_kept_comes_back_to_the_bit(tmp_path: Path) -> None:
    """Views of one vector are kept as tensors of their own."""
    whole = torch.randn(10, dtype=torch.float64)
    tensors = {"a": whole[:4].view(2, 2).t(), "b": whole[4:]}
    heritage = Heritage.of({"file": "x"}, {}, tensors)
    assert all(torch.equal(heritage.tensors[name], tensors[name]) for name in tensors)
    run = run_with(tmp_path, heritage.of_whom())
    (run / REUSED).write_bytes(heritage.content)
    found = inherited(run)
    assert found is not None
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_run_from_scratch_has_none(tmp_path: Path) -> None:
    assert inherited(run_with(tmp_path, None)) is None


@pytest.mark.parametrize("parent", ["me", {}, {"reused": 3}, {"reused": {"size": "1"}}])
def test_a_parent_that_is_none_of_ours_is_refused(parent: object, tmp_path: Path) -> None:
    run = run_with(tmp_path, parent)
    (run / REUSED).write_bytes(b"0")
    with pytest.raises(RunError):
        inherited(run)
