"""What every engine has to keep to. A new engine is named here and tested by all of this."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dnnlab.methods.session import Session
from dnnlab.training.eager import EagerEngine
from dnnlab.training.engine import Engine
from tests.support import same_tensors, session_of

TEXT = """
data: digits
architecture: {name: mlp, hidden: [6]}
optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
regularization: {dropout: 0.2}
training: {epochs: {updates: 20}, batch_size: 8, threads: 1}
"""
Build = Callable[[Session], Engine]


def eager(session: Session) -> Engine:
    return EagerEngine(session.experiment, session.plan, session.state, session.data.train)


ENGINES = [eager]


@pytest.mark.parametrize("build", ENGINES)
def test_it_applies_exactly_the_updates_asked_for(build: Build, tmp_path: Path) -> None:
    session = session_of(TEXT, folder=tmp_path)
    engine = build(session)
    stretch = engine.advance(9)
    assert session.state.step == 9
    assert len(stretch.losses) == len(stretch.hits) == len(stretch.gradient_norms) == 9
    assert stretch.sizes == [8, 8, 8, 8, 8, 8, 2, 8, 8]  # 50 examples: the 7th batch is the rest
    assert stretch.failure is None
    before = session.state.weights.clone()
    assert engine.advance(9).losses == []
    assert torch.equal(session.state.weights, before)


@pytest.mark.parametrize("build", ENGINES)
def test_stretches_of_any_length_give_the_same_bits(build: Build, tmp_path: Path) -> None:
    whole, parts = session_of(TEXT, folder=tmp_path), session_of(TEXT, folder=tmp_path)
    at_once = build(whole).advance(20).losses
    engine, in_parts = build(parts), []
    for until in (1, 2, 7, 8, 19, 20):
        in_parts += engine.advance(until).losses
    assert in_parts == at_once
    assert same_tensors(whole.state.network_tensors(), parts.state.network_tensors())
    assert same_tensors(whole.state.slots, parts.state.slots)


@pytest.mark.parametrize("build", ENGINES)
def test_it_stops_before_an_update_that_would_not_be_finite(build: Build, tmp_path: Path) -> None:
    session = session_of(TEXT, folder=tmp_path)
    session.data.train.inputs[:, 0] = 3e38  # products of this overflow
    stretch = build(session).advance(20)
    failure = stretch.failure
    assert failure is not None
    assert failure.update == session.state.step == len(stretch.losses) < 20
    assert len(failure.rows) == stretch.sizes[0] if stretch.sizes else 8
    assert failure.lr == 0.1
    assert bool(session.state.weights.isfinite().all())


@pytest.mark.parametrize("build", ENGINES)
def test_an_update_may_be_left_out(build: Build, tmp_path: Path) -> None:
    session = session_of(TEXT, folder=tmp_path)
    session.data.train.inputs[5] = 3e38  # in one batch of an epoch
    engine = build(session)
    failure = engine.advance(7).failure
    assert failure is not None
    assert 5 in failure.rows
    session.state.step += 1
    stretch = engine.advance(7)
    assert stretch.failure is None
    assert session.state.step == 7
    assert session.state.applied == 6


@pytest.mark.parametrize("build", ENGINES)
def test_a_state_may_be_loaded_in_between(build: Build, tmp_path: Path) -> None:
    session = session_of(TEXT, folder=tmp_path)
    state, engine = session.state, build(session)
    engine.advance(5)
    numbers = state.numbers()
    saved = {group: {n: t.clone() for n, t in ts.items()} for group, ts in state.tensors().items()}
    losses = engine.advance(12).losses
    state.load(saved, numbers)
    assert engine.advance(12).losses == losses
