"""The eager engine against a training loop written out by hand, in float64."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from dnnlab.methods.session import Session
from dnnlab.training.eager import Measured
from dnnlab.training.order import Order
from tests.support import made_up_data, needs_cuda, same_tensors, session_of

BASE = """
data: digits
architecture: {{name: mlp, hidden: [6, 5]}}
activation: elu
training: {{epochs: {{updates: 20}}, batch_size: 7, threads: 1, precision: {precision}}}
"""


def text(more: str = "", precision: str = "float64") -> str:
    return BASE.format(precision=precision) + more


def order_of(session: Session) -> Order:
    training = session.experiment.training
    return Order(session.plan, training.seed, session.machine.device)


def by_hand(
    folder: Path,
    more: str = "",
    *,
    lr: float = 0.01,
    l2: float = 0.0,
    clip: float = math.inf,
    max_norm: float = math.inf,
) -> dict[str, Tensor]:
    """Trains the net of `text(more)` with nothing of dnnlab's but its first weights and order."""
    session = session_of(text(more), folder=folder)
    module, train = session.state.network.module, session.data.train
    parameters = dict(module.named_parameters())
    for update in range(20):
        rows = order_of(session).rows(update)
        loss = cross_entropy(module(train.inputs[rows]), train.targets[rows])
        kernels = [p for name, p in parameters.items() if name.endswith("weight")]
        loss = loss + sum(l2 * kernel.square().sum() for kernel in kernels)
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        length = torch.sqrt(sum((g.square().sum() for g in gradients), torch.zeros(())))
        factor = min(1.0, clip / length.item())
        with torch.no_grad():
            for parameter, gradient in zip(parameters.values(), gradients, strict=True):
                parameter.sub_(lr * factor * gradient)
            for kernel in kernels:
                lengths = kernel.norm(dim=1, keepdim=True)
                kernel.mul_(torch.clamp(max_norm / lengths, max=1.0))
    return {name: parameter.detach() for name, parameter in parameters.items()}


@pytest.mark.parametrize(
    ("more", "settings"),
    [
        ("", {}),
        ("optimizer: {name: sgd, lr: 0.3}", {"lr": 0.3}),
        ("regularization: {l2: 0.01}", {"l2": 0.01}),
        ("gradient_clipping: {norm: 0.2}", {"clip": 0.2}),
        ("regularization: {max_norm: 0.8}", {"max_norm": 0.8}),
        (
            "optimizer: {name: sgd, lr: 0.3}\ngradient_clipping: {norm: 0.2}\n"
            "regularization: {l2: 0.01, max_norm: 0.8}",
            {"lr": 0.3, "clip": 0.2, "l2": 0.01, "max_norm": 0.8},
        ),
    ],
)
def test_updates_are_those_of_a_loop_by_hand(
    tmp_path: Path, more: str, settings: dict[str, float]
) -> None:
    session = session_of(text(more), folder=tmp_path)
    session.engine.advance(20)
    found = session.state.network_tensors()
    for name, expected in by_hand(tmp_path, more, **settings).items():
        torch.testing.assert_close(found[name], expected, rtol=1e-11, atol=1e-13)


def test_what_is_measured(tmp_path: Path) -> None:
    session = session_of(text("regularization: {l2: 0.01}"), folder=tmp_path)
    other = session_of(text("regularization: {l2: 0.01}"), folder=tmp_path)
    stretch = session.engine.advance(9)
    module, train = other.state.network.module, other.data.train
    for update in range(9):
        rows = order_of(other).rows(update)
        outputs = module(train.inputs[rows])
        loss = cross_entropy(outputs, train.targets[rows])
        penalty = sum(
            0.01 * p.square().sum() for n, p in module.named_parameters() if n.endswith("weight")
        )
        gradients = torch.autograd.grad(loss + penalty, list(module.parameters()))
        length = math.sqrt(sum(g.square().sum().item() for g in gradients))
        assert stretch.losses[update] == pytest.approx(loss.item(), rel=1e-12)
        assert stretch.gradient_norms[update] == pytest.approx(length, rel=1e-12)
        assert stretch.hits[update] == int((outputs.argmax(1) == train.targets[rows]).sum())
        other.engine.advance(update + 1)
    assert stretch.sizes == [7, 7, 7, 7, 7, 7, 7, 1, 7]  # 50 examples in batches of 7
    assert stretch.failure is None


def test_a_regression_has_losses_and_no_hits(tmp_path: Path) -> None:
    data = made_up_data(task="regression")
    session = session_of(text().replace("digits", "diabetes"), data, folder=tmp_path)
    other = session_of(text().replace("digits", "diabetes"), data, folder=tmp_path)
    rows = order_of(other).rows(0)
    outputs = other.state.network.module(other.data.train.inputs[rows])
    stretch = session.engine.advance(1)
    expected = mse_loss(outputs, other.data.train.targets[rows]).item()
    assert stretch.losses == [pytest.approx(expected, rel=1e-12)]
    assert stretch.hits == []


CHANCE = """
normalization: batch
optimizer: {name: nadam}
schedule: one_cycle
regularization: {dropout: 0.3, l2: 1e-3}
"""


def test_one_stretch_is_as_good_as_many(tmp_path: Path) -> None:
    config = text(CHANCE, "float32").replace("batch_size: 7", "batch_size: 8")
    once, many = (session_of(config, folder=tmp_path) for _ in range(2))
    whole = once.engine.advance(20)
    losses = [loss for stop in range(1, 21) for loss in many.engine.advance(stop).losses]
    assert losses == whole.losses
    for group, tensors in once.state.tensors().items():
        assert same_tensors(tensors, many.state.tensors()[group])


def test_other_random_numbers_in_between_change_nothing(tmp_path: Path) -> None:
    config = text(CHANCE, "float32").replace("batch_size: 7", "batch_size: 8")
    quiet, noisy = (session_of(config, folder=tmp_path) for _ in range(2))
    quiet.engine.advance(6)
    for stop in (2, 4, 6):
        noisy.engine.advance(stop)
        torch.rand(100)
    assert torch.equal(quiet.state.weights, noisy.state.weights)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_16_bits_follow_32_bits_within_their_rounding(tmp_path: Path, precision: str) -> None:
    """bfloat16 keeps 8 bits of a product: 0.4 % each; the loss of 20 updates agrees to 3 %."""
    full, half = (session_of(text(precision=p), folder=tmp_path) for p in ("float32", precision))
    half.state.loss_scale.factor = 64.0  # at 65,536, the start, the first gradients overflow
    expected, found = full.engine.advance(20).losses, half.engine.advance(20).losses
    assert found == pytest.approx(expected, rel=0.03)
    assert found != expected


def test_float16_finds_its_loss_scale(tmp_path: Path) -> None:
    session = session_of(text(precision="float16"), folder=tmp_path)
    session.state.loss_scale.factor = 2.0**40  # overflows float16, whose largest number is 65504
    before = session.state.weights.clone()
    stretch = session.engine.advance(1)
    assert stretch.failure is None
    assert session.state.loss_scale.factor == 2.0**39
    assert torch.equal(session.state.weights, before), "an update that overflows is left out"
    assert (session.state.step, session.state.applied) == (1, 0)
    session.engine.advance(20)
    session.state.loss_scale.factor = 1024.0
    session.state.loss_scale.good = 1999
    session.state.step = 0
    session.engine.advance(1)
    assert (session.state.loss_scale.factor, session.state.loss_scale.good) == (2048.0, 0)


def test_a_training_that_diverges_stops_before_the_update_that_broke_it(tmp_path: Path) -> None:
    session = session_of(text("optimizer: {name: sgd, lr: 1e30}", "float32"), folder=tmp_path)
    stretch = session.engine.advance(20)
    failure = stretch.failure
    assert failure is not None
    assert session.state.step == failure.update == len(stretch.losses)
    assert torch.isfinite(session.state.weights).all()
    assert failure.lr == 1e30
    assert failure.rows == order_of(session).rows(failure.update).tolist()
    assert failure.gradient_norms == stretch.gradient_norms[-10:]
    again = session.engine.advance(20)
    assert again.failure is not None
    assert again.failure.update == failure.update


def test_the_first_layer_that_broke_is_named(tmp_path: Path) -> None:
    session = session_of(text("", "float32"), folder=tmp_path)
    with torch.no_grad():
        session.state.network.module.get_parameter("dense2.weight").fill_(3e38)
    failure = session.engine.advance(20).failure
    assert failure is not None
    assert (failure.update, failure.what) == (0, "the output of layer dense2")


def test_weights_that_overflow_are_seen_before_anything_is_kept(tmp_path: Path) -> None:
    """The last update before a look may break weights whose loss and gradient were finite."""
    config = text("optimizer: {name: sgd, lr: 1e30}", "float32")
    session = session_of(config, made_up_data(), folder=tmp_path)
    with torch.no_grad():
        session.state.weights.mul_(30)
        session.data.train.inputs.mul_(1e10)  # so gradients are: 1e40 is beyond float32
    stretch = session.engine.advance(1)
    assert stretch.failure is not None
    assert stretch.failure.what == "dense1.weight after the update"
    assert torch.isfinite(session.state.weights).all()


def test_an_optimizers_memory_that_overflows_is_seen_too(tmp_path: Path) -> None:
    """A sum of squares that has become infinite would hold its weight still for ever, unseen."""
    config = text("optimizer: {name: adagrad, lr: 1e-30}", "float32").replace("[6, 5]", "[]")
    session = session_of(config, folder=tmp_path)
    squares = session.state.slots["squares"]
    squares.fill_(3.4028e38)
    session.state.weights.zero_()
    session.data.train.inputs.mul_(1e18)  # so gradients are about 1e17: float32 ends at 3.40282e38
    failure = session.engine.advance(1).failure
    assert failure is not None
    assert failure.what == "squares.output.weight after the update"
    assert (session.state.step, session.state.applied) == (0, 0)
    assert (squares == squares[0]).all()


def test_what_was_not_finite_before_the_update_is_named(tmp_path: Path) -> None:
    session = session_of(text("", "float32"), folder=tmp_path)
    with torch.no_grad():
        session.state.network.module.get_parameter("dense2.bias")[1] = math.nan
    failure = session.engine.advance(1).failure
    assert failure is not None
    assert failure.what == "dense2.bias before the update"


def test_gradient_norms_before_a_failure_are_kept_over_stretches(tmp_path: Path) -> None:
    session = session_of(text("", "float32"), folder=tmp_path)
    norms = [norm for until in (3, 12) for norm in session.engine.advance(until).gradient_norms]
    session.data.train.inputs.fill_(math.nan)
    failure = session.engine.advance(14).failure
    assert failure is not None
    assert failure.gradient_norms == norms[-10:]
    session.state.step = 5  # as if the training had gone back: those were of another one
    failure = session.engine.advance(14).failure
    assert failure is not None
    assert failure.gradient_norms == []


def test_measured_scalars_come_back_in_order() -> None:
    measured = Measured()
    for value in (1.0, 2.5, -3.0):
        measured.add(torch.tensor(value))
    assert measured.values() == [1.0, 2.5, -3.0]


@needs_cuda
def test_cuda_follows_the_cpu(tmp_path: Path) -> None:
    """The same weights, order and arithmetic; float32 sums in another order."""
    cpu, cuda = (
        session_of(
            text("", "float32").replace("threads", f"device: {device}, threads"), folder=tmp_path
        )
        for device in ("cpu", "cuda")
    )
    left, right = cpu.engine.advance(20), cuda.engine.advance(20)
    assert right.losses == pytest.approx(left.losses, rel=1e-4)
    assert right.hits == left.hits


def test_the_first_update_that_float16_applies_is_an_optimizers_first(tmp_path: Path) -> None:
    """Nadam's correction for its start counts the updates applied, not those left out before."""
    nadam = "optimizer: {name: nadam, lr: 1e-3}"
    skipping = session_of(text(nadam, "float16"), folder=tmp_path)
    skipping.state.loss_scale.factor = 2.0**40
    before = skipping.state.weights.clone()
    while skipping.state.applied == 0:
        skipping.engine.advance(skipping.state.step + 1)
    assert skipping.state.step > 3
    first = (skipping.state.weights - before).abs().max().item()
    plain = session_of(text(nadam, "float32"), folder=tmp_path)
    before = plain.state.weights.clone()
    plain.engine.advance(1)
    assert first == pytest.approx((plain.state.weights - before).abs().max().item(), rel=0.02)
