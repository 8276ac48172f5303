from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sklearn.metrics import mean_absolute_error

from dnnlab.training import evaluation
from dnnlab.training.evaluation import evaluate, outputs_of
from tests.support import made_up_data, session_of

TEXT = """
data: {data}
architecture: {{name: mlp, hidden: [6]}}
normalization: batch
regularization: {{dropout: 0.5}}
training: {{epochs: {{updates: 20}}, batch_size: 8, threads: 1}}
"""


def test_evaluation_drops_nothing_and_changes_nothing(tmp_path: Path) -> None:
    session = session_of(TEXT.format(data="digits"), folder=tmp_path)
    session.engine.advance(5)
    before = session.state.copy_of_network()
    assert session.data.validation is not None
    args = (session.state.network, session.data.validation, session.data.scaling)
    first = evaluate(*args, session.experiment)
    assert evaluate(*args, session.experiment) == first
    assert session.state.network.module.training
    after = session.state.network_tensors()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_large_batches_are_cut_into_bearable_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = session_of(TEXT.format(data="digits"), folder=tmp_path)
    inputs = session.data.train.inputs
    whole = outputs_of(session.state.network, inputs, session.experiment)
    sizes = []
    session.state.network.module.register_forward_hook(lambda m, i, o: sizes.append(len(o)))
    monkeypatch.setattr(evaluation, "NUMBERS_AT_ONCE", session.state.network.widest * 16)
    parts = outputs_of(session.state.network, inputs, session.experiment)
    torch.testing.assert_close(parts, whole)
    assert sizes == [16, 16, 16, 2]


def test_regression_metrics_are_in_units_of_the_data(tmp_path: Path) -> None:
    data = made_up_data(task="regression")
    scaling = replace(data.scaling, target_shift=100.0, target_scale=20.0)
    session = session_of(
        TEXT.format(data="diabetes"), replace(data, scaling=scaling), folder=tmp_path
    )
    values = evaluate(session.state.network, data.test, scaling, session.experiment)
    outputs = outputs_of(session.state.network, data.test.inputs, session.experiment)
    expected = 20 * mean_absolute_error(data.test.targets, outputs)
    assert values["mae"] == pytest.approx(expected, rel=1e-5)
    assert values["loss"] == pytest.approx(
        (outputs - data.test.targets).square().mean().item(), rel=1e-6
    )
