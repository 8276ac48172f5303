from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dnnlab.training import pieces as module
from dnnlab.training.pieces import Pieces
from dnnlab.training.state import State
from tests.support import session_of

TEXT = """
data: digits
architecture: {name: mlp, hidden: [8, 3, 9]}
optimizer: {name: nadam}
training: {epochs: {updates: 6}, batch_size: 10, threads: 1}
"""


def state(folder: Path) -> State:
    return session_of(TEXT, folder=folder).state


@pytest.mark.parametrize("large", [1, 25, 30, 10**9])
def test_pieces_are_the_whole_however_they_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    """Parameters in order: 5x8, 8, 8x3, 3, 3x9, 9, 9x3, 3."""
    monkeypatch.setattr(module, "LARGE", large)
    it = state(tmp_path)
    pieces = Pieces(it)
    torch.manual_seed(0)
    inputs, targets = torch.randn(10, 5), torch.randint(0, 3, (10,))
    for _ in range(2):  # the second pass must not add to the first
        loss = torch.nn.functional.cross_entropy(it.network.module(inputs), targets)
        pieces.backward(loss)
    expected = torch.autograd.grad(
        torch.nn.functional.cross_entropy(it.network.module(inputs), targets),
        list(it.network.module.parameters()),
    )
    flat = torch.cat([gradient.reshape(-1) for gradient in expected])
    assert torch.equal(torch.cat(pieces.gradients), flat)
    assert torch.equal(torch.cat(pieces.weights), it.weights)
    assert all(map(torch.equal, pieces.of_parameters(), expected))
    assert [len(slot) for slot in pieces.slots["mean"]] == [len(w) for w in pieces.weights]
    assert pieces.slots["momentum_product"] == [it.slots["momentum_product"]]
    numbers = {1: 8, 25: 6, 30: 2, 10**9: 1}
    assert len(pieces.weights) == numbers[large]


def test_pieces_share_memory_with_the_state(tmp_path: Path) -> None:
    it = state(tmp_path)
    pieces = Pieces(it)
    for weights in pieces.weights:
        weights.fill_(3.0)
    assert (it.weights == 3).all()
    pieces.slots["mean"][0].fill_(2.0)
    assert (it.slots["mean"] == 2).all()


def test_training_does_not_depend_on_the_cuts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for large in (1, 25, 10**9):
        monkeypatch.setattr(module, "LARGE", large)
        session = session_of(TEXT, folder=tmp_path)
        session.engine.advance(6)
        ends.append(session.state.weights.clone())
    # The norm is summed piece by piece, but nothing here depends on the norm.
    assert torch.equal(ends[0], ends[1])
    assert torch.equal(ends[0], ends[2])
