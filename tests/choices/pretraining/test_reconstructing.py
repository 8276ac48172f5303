from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import mse_loss

from dnnlab.choices.datasets import Signature
from dnnlab.choices.pretraining.reconstructing import MaskedFeatures
from dnnlab.experiment import Experiment
from dnnlab.kernels.lessons import masked
from dnnlab.methods.session import Session, assemble
from dnnlab.randomness import key
from dnnlab.training.eager import EagerEngine
from dnnlab.training.evaluation import evaluate
from dnnlab.training.loop import penalty_of
from dnnlab.training.state import State
from tests.support import config_file, experiment_of, refusal_of, same_tensors

DIGITS = Signature((8, 8), 10, "classification")
TEXT = """
data: digits
architecture: {name: mlp, hidden: [6, 5]}
pretraining: %s
training: {epochs: {updates: 14}, batch_size: 40, threads: 1}
"""


def autoencoder(settings: str) -> Experiment:
    return experiment_of(TEXT % f"{{name: autoencoder, {settings}}}")


def engine_of(session: Session) -> EagerEngine:
    assert isinstance(session.engine, EagerEngine)
    return session.engine


def state_of(experiment: Experiment) -> State:
    network = experiment.network(DIGITS)
    cpu, optimizer = torch.device("cpu"), experiment.optimizer
    return State.fresh(network, optimizer, seed=1, device=cpu, dtype=torch.float64)


def test_a_tied_kernels_gradient_is_the_sum_of_both_of_its_uses() -> None:
    """The same numbers in a net that is not tied, where each use has a kernel of its own."""
    tied, apart = state_of(autoencoder("tied: true")), state_of(autoencoder("tied: false"))
    own, others = tied.network_tensors(), apart.network_tensors()
    assert own.keys() == others.keys() - {"dense3.weight", "output.weight"}
    for name, tensor in others.items():
        tensor.copy_(own[name] if name in own else own[WAY_BACK[name]].T)
    torch.manual_seed(0)
    inputs = torch.randn(7, 8, 8, dtype=torch.float64)
    for state in (tied, apart):
        outputs = state.network.module(inputs)
        mse_loss(outputs, inputs.flatten(1)).backward()  # type: ignore[no-untyped-call]
    gradients, parts = (
        {name: p.grad for name, p in state.network.module.named_parameters()}
        for state in (tied, apart)
    )
    assert parts["dense3.weight"] is not None
    assert parts["output.weight"] is not None
    for back, way in WAY_BACK.items():
        parts[way] = parts[way] + parts.pop(back).T  # type: ignore[operator, union-attr]
    torch.testing.assert_close(gradients, parts)


WAY_BACK = {"dense3.weight": "dense2.weight", "output.weight": "dense1.weight"}


def test_a_tied_kernel_is_penalized_once_and_owns_a_layer() -> None:
    text = TEXT % "{name: autoencoder, tied: true}" + "regularization: {l2: 0.5}\n"
    state = state_of(experiment_of(text))
    tensors = state.network_tensors()
    squares = sum(tensors[f"dense{n}.weight"].square().sum().item() for n in (1, 2))
    assert penalty_of(state.network) == pytest.approx(0.5 * squares)
    layers = {layer.name: layer.tensors for layer in state.network.layers()}
    assert layers == {
        "dense1": ("dense1.weight", "dense1.bias"),
        "dense2": ("dense2.weight", "dense2.bias"),
        "dense3": ("dense3.bias",),
        "output": ("output.bias",),
    }


@pytest.mark.parametrize("architecture", ["{name: mlp, ", "{name: autoencoder, tied: true, "])
def test_what_is_said_of_a_kernel_that_there_is_not(architecture: str) -> None:
    """For the way of pretraining and for the architecture alike."""
    text = TEXT % "{name: autoencoder, tied: true}"
    if "tied" in architecture:
        text = text.replace("pretraining: {name: autoencoder, tied: true}\n", "")
    outputs = "output: {l2: 0.1, initializer: he_normal, use_bias: false}, "
    found = refusal_of(text.replace("{name: mlp, ", architecture + outputs))
    assert [sentence.split(": ")[0].split()[1] for sentence in found] == [
        "architecture.output.l2",
        "architecture.output.initializer",
        "architecture.output.use_bias",
    ]


def test_greedy_layers_keep_every_bit_before_and_after_their_own_phase(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path, TEXT % "{name: autoencoder, greedy: true}"))
    state, engine = session.state, session.engine
    begun = state.copy_of_network()
    engine.advance(7)
    half = state.copy_of_network()
    engine.advance(14)
    end = state.copy_of_network()
    outer = {"dense1.weight", "dense1.bias", "output.weight", "output.bias"}
    for name in end:
        assert torch.equal(begun[name], half[name]) == (name not in outer), name
        assert torch.equal(half[name], end[name]) == (name in outer), name


def test_greedy_begins_each_phase_with_the_optimizer_as_it_was_at_first(tmp_path: Path) -> None:
    text = TEXT % "{name: autoencoder, greedy: true}" + "optimizer: adam\n"
    session = assemble(config_file(tmp_path, text))
    session.engine.advance(7)
    assert session.state.applied == 7
    session.engine.advance(8)
    assert session.state.applied == 1
    moved = session.state.slot_tensors()
    assert not any(bool(slot.any()) for name, slot in moved.items() if "dense1" in name)


def test_noise_falls_on_the_inputs_and_not_on_the_targets(tmp_path: Path) -> None:
    lines = TEXT % "{name: autoencoder, noise: 0.5, mask: 0.25}"
    plain = assemble(config_file(tmp_path, TEXT % "autoencoder"))
    session = assemble(config_file(tmp_path, lines))
    for name, split in session.data.splits().items():
        clean = plain.data.splits()[name]
        assert torch.equal(split.targets, clean.targets)
        assert (split.inputs == 0).float().mean() > 0.2
        assert not torch.equal(split.inputs.flatten(1), split.targets)
    assert plain.data.train.inputs.data_ptr() == plain.data.train.targets.data_ptr()


def test_noise_is_another_one_in_every_update_and_the_same_in_every_training(
    tmp_path: Path,
) -> None:
    config = config_file(tmp_path, TEXT % "{name: autoencoder, noise: 0.5}")
    first, again = assemble(config), assemble(config)
    for session in (first, again):
        seen: list[torch.Tensor] = []
        module = session.state.network.module
        module.get_submodule("flatten").register_forward_hook(
            lambda part, given, out, seen=seen: seen.append(out)
        )
        engine_of(session).forward = module.__call__
        session.engine.advance(3)
        train = session.data.train.targets
        rows = [engine_of(session).order.rows(update) for update in range(3)]
        noises = [out - train[row] for out, row in zip(seen, rows, strict=True)]
        assert all(noise.std().item() == pytest.approx(0.5, abs=0.05) for noise in noises)
        assert not torch.equal(noises[0], noises[1])
    assert same_tensors(first.state.network_tensors(), again.state.network_tensors())


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (
            "{name: resnet, blocks: [{units: 9}]}",
            "4:14 pretraining: autoencoder is for the architecture mlp, not resnet",
        ),
        (
            "{name: autoencoder, hidden: [4]}",
            "4:14 pretraining: autoencoder gives its inputs back by itself; pretraining is for",
        ),
        ("{name: mlp, hidden: []}", "3:35 architecture.hidden: autoencoder pretrains hidden"),
    ],
)
def test_nets_that_it_is_not_for(architecture: str, expected: str) -> None:
    text = TEXT % "autoencoder"
    (sentence,) = refusal_of(text.replace("{name: mlp, hidden: [6, 5]}", architecture))
    assert sentence.startswith(expected), sentence


def test_only_what_was_replaced_is_asked_for() -> None:
    outputs = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    nan = torch.nan
    targets = torch.tensor([[nan, 2.5, nan], [3.0, nan, 7.0]])
    said, wanted = MaskedFeatures().asked(outputs, targets)
    assert (said.tolist(), wanted.tolist()) == ([2.0, 4.0, 6.0], [2.5, 3.0, 7.0])


def test_the_loss_and_its_gradient_are_those_of_the_replaced_features(tmp_path: Path) -> None:
    """In the exam, where one sees what was asked: the mean over these, and no other, by hand."""
    session = assemble(config_file(tmp_path, TEXT % "{name: masked, mask: 0.2}"))
    exam, network = session.data.test, session.state.network
    measured = evaluate(network, exam, session.data.scaling, session.experiment)
    with torch.no_grad():
        errors = network.module.eval()(exam.inputs) - exam.targets
    asked = errors[~errors.isnan()].double()
    assert len(asked) == len(exam) * round(0.2 * 64)
    assert measured["loss"] == pytest.approx(asked.square().mean().item(), rel=1e-5)
    assert measured["mae"] == pytest.approx(asked.abs().mean().item(), rel=1e-5)
    assert measured["rmse"] == pytest.approx(asked.square().mean().sqrt().item(), rel=1e-5)


def test_features_are_filled_by_the_mean_of_the_split(tmp_path: Path) -> None:
    text = TEXT % "{name: masked, mask: 0.2, fill: mean}"
    text = text.replace("data: digits", "data: {name: digits, standardize: none}")
    session = assemble(config_file(tmp_path, text))
    plain = assemble(config_file(tmp_path, text.replace("mask: 0.2", "mask: 0.9")))
    exam = session.data.test
    means = torch.where(exam.targets.isnan(), exam.inputs.flatten(1), exam.targets).mean(0)
    filled = torch.where(exam.targets.isnan(), means, exam.inputs.flatten(1))
    torch.testing.assert_close(filled, means.expand(len(exam), -1))
    assert plain.data.test.targets.isnan().float().mean() < 0.2


def test_the_masked_net_learns_what_features_say_of_each_other(tmp_path: Path) -> None:
    text = TEXT % "masked" + "optimizer: {name: nadam, lr: 0.01}\n"
    text = text.replace("updates: 14", "updates: 200").replace("[6, 5]", "[50]")
    losses = assemble(config_file(tmp_path, text)).engine.advance(200).losses
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])


def test_an_updates_loss_is_that_of_what_was_replaced_in_it(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path, TEXT % "{name: masked, mask: 0.1}"))
    split = engine_of(session).train
    rows = engine_of(session).order.rows(0)
    generator = torch.Generator().manual_seed(key(42, "lesson", 0))
    inputs, targets = masked(split.inputs[rows], split.inputs.flatten(1), generator, share=0.1)
    with torch.no_grad():
        errors = (session.state.network.module(inputs) - targets)[~targets.isnan()]
    assert len(errors) == 40 * 6
    (loss,) = session.engine.advance(1).losses
    assert loss == pytest.approx(errors.square().mean().item(), rel=1e-5)
