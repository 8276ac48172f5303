from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from dnnlab.choices.schedules import Plateau
from dnnlab.errors import RunError
from dnnlab.training.state import Best, LossScale, State, Tally
from tests.support import experiment_of, made_up_data, same_tensors, session_of

TEXT = """
data: digits
architecture: {name: mlp, hidden: [6, 5]}
normalization: batch
optimizer: {name: sgd, momentum: 0.9}
training: {epochs: {updates: 10}, batch_size: 10, threads: 1}
"""


def fresh(text: str = TEXT, seed: int = 1) -> State:
    experiment = experiment_of(text)
    return State.fresh(
        experiment.network(made_up_data().signature),
        experiment.optimizer,
        seed=seed,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def test_parameters_are_views_of_one_vector() -> None:
    state = fresh()
    state.weights.fill_(2.0)
    assert all((parameter == 2).all() for parameter in state.network.module.parameters())
    assert state.weights.numel() == state.network.num_trainable


def test_first_weights_depend_on_seed_and_name_alone() -> None:
    first = fresh().network_tensors()
    assert same_tensors(first, fresh().network_tensors())
    assert not torch.equal(first["dense1.weight"], fresh(seed=2).network_tensors()["dense1.weight"])
    deeper = fresh(TEXT.replace("[6, 5]", "[6, 5, 4]")).network_tensors()
    assert torch.equal(deeper["dense2.weight"], first["dense2.weight"])
    assert not first["dense1.bias"].any()
    assert (first["norm1.running_var"] == 1).all()


def test_a_state_is_saved_whole_and_loaded_into_a_fresh_one(tmp_path: Path) -> None:
    session = session_of(TEXT, folder=tmp_path)
    session.engine.advance(7)
    state = session.state
    state.plateau = Plateau(0.25, 1.5, 6)
    state.tally = Tally(updates=3, examples=30, loss=1.25, hits=4, gradient_norm=2.0)
    state.loss_scale = LossScale(128.0, 5)
    state.skipped, state.rollbacks, state.lr_factor = 2, 1, 0.1
    state.best = Best(5, math.nan, state.copy_of_network())
    state.ended = "enough"
    tensors = {
        group: {n: t.clone() for n, t in ts.items()} for group, ts in state.tensors().items()
    }
    other = fresh(seed=9)
    other.load(tensors, state.numbers())
    assert other.numbers() == state.numbers()
    assert other.best is not None
    assert math.isnan(other.best.value)
    for group, saved in state.tensors().items():
        assert same_tensors(saved, other.tensors()[group]), group
    assert other.slots["velocity"].any()


def test_a_state_that_knows_nothing_of_failures_is_of_a_training_without_any() -> None:
    """As the first checkpoints were written."""
    old = fresh()
    numbers = old.numbers()
    for key in ("skipped", "rollbacks", "lr_factor"):
        del numbers[key]
    other = fresh(seed=9)
    other.skipped, other.rollbacks, other.lr_factor = 2, 1, 0.1
    other.load(old.tensors(), numbers)
    assert other.numbers() == old.numbers()


def test_beginning_anew_leaves_nothing_behind(tmp_path: Path) -> None:
    text = TEXT.replace("sgd, momentum: 0.9", "adagrad")  # its slots do not begin at 0
    session, untouched = (session_of(text, folder=tmp_path) for _ in range(2))
    session.engine.advance(7)
    state = session.state
    state.plateau = Plateau(0.25, 1.5, 6)
    state.tally = Tally(updates=3, examples=30)
    state.loss_scale = LossScale(128.0, 5)
    state.best = Best(5, 1.0, state.copy_of_network())
    state.skipped, state.rollbacks, state.lr_factor, state.ended = 2, 1, 0.1, "enough"
    experiment, engine = session.experiment, session.engine
    state.begin_anew(experiment.optimizer, experiment.training.seed)
    assert state.numbers() == untouched.state.numbers()  # of the best, that there is none
    for group, tensors in untouched.state.tensors().items():
        assert same_tensors(tensors, state.tensors()[group]), group
    assert engine.advance(7).losses == untouched.engine.advance(7).losses


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "name", ["dense2.weight", "output.bias", "norm1.running_var", "velocity.dense1.weight"]
)
def test_a_number_that_is_not_finite_is_found_wherever_it_is(name: str, number: float) -> None:
    state = fresh()
    assert state.not_finite() is None
    tensors = {**state.network_tensors(), **state.slot_tensors()}
    tensors[name].view(-1)[-1] = number
    assert state.not_finite() == name


def test_what_does_not_fit_is_named() -> None:
    state = fresh()
    tensors = {group: dict(named) for group, named in state.tensors().items()}
    numbers = state.numbers()

    def refused(group: str, name: str, tensor: torch.Tensor | None, other: State) -> str:
        changed = {g: dict(named) for g, named in tensors.items()}
        if tensor is None:
            del changed[group][name]
        else:
            changed[group][name] = tensor
        with pytest.raises(RunError) as caught:
            other.load(changed, numbers)
        return caught.value.message

    assert refused("network", "dense1.bias", None, fresh()) == (
        "network: the checkpoint has no tensor 'dense1.bias'"
    )
    assert refused("network", "extra", torch.zeros(1), fresh()) == (
        "network: the net of this config has no tensor 'extra'"
    )
    assert "'dense1.bias' is [7] torch.float32 in the checkpoint, [6] torch.float32" in refused(
        "network", "dense1.bias", torch.zeros(7), fresh()
    )
    assert "torch.float64 in the checkpoint" in refused(
        "optimizer", "velocity.dense1.bias", torch.zeros(6, dtype=torch.float64), fresh()
    )


def test_going_back_to_a_snapshot(tmp_path: Path) -> None:
    session = session_of(TEXT, folder=tmp_path)
    session.engine.advance(3)
    snapshot = session.state.snapshot()
    before = {g: {n: t.clone() for n, t in ts.items()} for g, ts in session.state.tensors().items()}
    session.engine.advance(6)
    assert not same_tensors(before["network"], session.state.network_tensors())
    session.state.restore(snapshot)
    assert session.state.step == 3
    for group, saved in before.items():
        assert same_tensors(saved, session.state.tensors()[group])


def test_lending_other_weights() -> None:
    state = fresh()
    own = state.copy_of_network()
    other = fresh(seed=5).copy_of_network()
    with state.holding(other):
        assert same_tensors(state.network_tensors(), other)
    assert same_tensors(state.network_tensors(), own)
