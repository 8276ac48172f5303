"""Each rule with a config that provokes it and one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from dnnlab.config.read import read
from dnnlab.lint import RULES, lint
from tests.support import experiment_of

START = "data: digits\narchitecture: {name: mlp, hidden: [10, 10]}\n"
SELU = START + "activation: selu\n"
OWN = "data: digits\narchitecture: {name: mlp, hidden: [10, {units: 10, activation: selu, %s}]}\n"
RESNET = "data: digits\narchitecture: {name: resnet, blocks: [{units: 9}]}\n"
CNN = "data: digits\narchitecture: {name: cnn, convolutions: [{filters: 4, activation: %s}]}\n"
CYCLE = START + (
    "schedule: one_cycle\nregularization: {early_stopping: %s}\ntraining: {epochs: %s}\n"
)
DEEP = "data: digits\narchitecture: {name: mlp, hidden: [{units: 9, %s}]}\nactivation: %s\n"
RNN = "data: digits\narchitecture: {name: rnn, recurrent: [4]}\n"
MOVED = START.replace("digits", "{name: digits, augmentation: {%s}, standardize: %s}")

CASES = {
    "selu_needs_lecun": (
        (SELU + "initializer: he_normal", "initializer"),
        (OWN % "initializer: he_normal", "architecture.hidden.1.initializer"),
        SELU + "initializer: lecun_normal",
        SELU + "initializer: {name: variance_scaling, distribution: uniform}",
        SELU,
        START + "initializer: he_normal",
    ),
    "selu_needs_standardized_inputs": (
        (SELU.replace("digits", "{name: digits, standardize: range}"), "data.standardize"),
        SELU.replace("digits", "{name: digits, standardize: per_channel}"),
        SELU,
        SELU.replace("digits", "{name: digits, standardize: none}")
        + "normalization: {name: batch, input: true}",
        START.replace("digits", "{name: digits, standardize: range}"),
    ),
    "selu_needs_alpha_dropout": (
        (SELU + "regularization: {dropout: 0.2}", "regularization.dropout"),
        (OWN % "dropout: 0.5", "architecture.hidden.1.dropout"),
        (
            (OWN % "dropout: {rate: 0.2, kind: alpha}")
            + "regularization: {dropout: {rate: 0.2, where: input}}",
            "regularization.dropout",
        ),
        SELU + "regularization: {dropout: {rate: 0.2, kind: alpha}}",
        SELU + "regularization: {dropout: 0}",
        START + "regularization: {dropout: 0.2}",
        # Of two layers the first is selu's, and only the top one is dropped.
        START.replace("hidden: [10, 10]", "hidden: [{units: 9, activation: selu}, 9]")
        + "regularization: {dropout: {rate: 0.2, where: {top: 1}}}",
    ),
    "selu_without_penalties": (
        (SELU + "regularization: {l2: 1e-4}", "regularization.l2"),
        (SELU + "regularization: {l1: 1e-4}", "regularization.l1"),
        (OWN % "l2: 1e-4", "architecture.hidden.1.l2"),
        SELU,
        (OWN % "l2: 0") + "regularization: {l2: 1e-4}",
        START + "regularization: {l2: 1e-4}",
    ),
    "selu_without_max_norm": (
        (SELU + "regularization: {max_norm: 1}", "regularization.max_norm"),
        (OWN % "max_norm: 1", "architecture.hidden.1.max_norm"),
        SELU,
        START + "regularization: {max_norm: 1}",
    ),
    "selu_without_normalization": (
        (SELU + "normalization: batch", "normalization"),
        (OWN % "normalization: batch", "architecture.hidden.1.normalization"),
        SELU,
        START + "normalization: batch",
    ),
    "alpha_dropout_is_for_selu": (
        (
            START + "regularization: {dropout: {rate: 0.2, kind: alpha}}",
            "regularization.dropout.kind",
        ),
        (
            OWN.replace("selu, %s", "elu, dropout: {rate: 0.2, kind: alpha}"),
            "architecture.hidden.1.dropout.kind",
        ),
        SELU + "regularization: {dropout: {rate: 0.2, kind: alpha}}",
        START + "regularization: {dropout: {rate: 0, kind: alpha}}",
        START + "regularization: {dropout: 0.2}",
    ),
    "selu_needs_a_plain_stack": (
        (RESNET + "activation: selu", "activation"),
        (CNN % "selu", "architecture.convolutions.0.activation"),
        CNN % "elu",
        RESNET + "activation: elu",
        SELU,
    ),
    "penalties_are_not_weight_decay": (
        (START + "optimizer: nadam\nregularization: {l2: 1e-4}", "regularization.l2"),
        (START + "optimizer: adam\nregularization: {l1: 1e-4}", "regularization.l1"),
        (OWN.replace("selu", "elu") % "l2: 1e-4" + "optimizer: adam", "architecture.hidden.1.l2"),
        START + "optimizer: sgd\nregularization: {l2: 1e-4}",
        START + "optimizer: nadam",
    ),
    "max_norm_beside_decay": (
        (START + "regularization: {l2: 1e-4, max_norm: 1}", "regularization.max_norm"),
        (
            START + "optimizer: adamw\nregularization: {max_norm: 1}",
            "regularization.max_norm",
        ),
        START + "optimizer: adam\nregularization: {max_norm: 1}",
        START + "optimizer: adamw",
    ),
    "tiny_batches_for_batch_norm": (
        (START + "normalization: batch\ntraining: {batch_size: 2}", "training.batch_size"),
        START + "normalization: batch\ntraining: {batch_size: 3}",
        START + "normalization: layer\ntraining: {batch_size: 2}",
    ),
    "one_cycle_cut_short": (
        (CYCLE % ("{patience: 4}", "20"), "regularization.early_stopping"),
        (
            CYCLE % ("{patience: {updates: 90}}", "{updates: 400}"),
            "regularization.early_stopping",
        ),
        CYCLE % ("{patience: 5}", "20"),
        CYCLE % ("{patience: {updates: 90}}", "20"),
        (CYCLE % ("{patience: 4}", "20")).replace("one_cycle", "constant"),
    ),
    "saturating_deep_stack": (
        (DEEP % ("repeat: 6", "tanh"), "activation"),
        DEEP % ("repeat: 5", "tanh"),
        DEEP % ("repeat: 6", "elu"),
        DEEP % ("repeat: 6", "tanh") + "normalization: batch",
    ),
    "dropout_before_batch_norm": (
        (
            START + "normalization: batch\nregularization: {dropout: 0.2}",
            "regularization.dropout",
        ),
        (
            START + "normalization: batch\nregularization: {dropout: {rate: 0.2, where: input}}",
            "regularization.dropout",
        ),
        START + "normalization: batch\nregularization: {dropout: {rate: 0.2, where: {top: 1}}}",
        START + "normalization: layer\nregularization: {dropout: 0.2}",
    ),
    "initializer_unlike_the_activation": (
        (START + "activation: tanh\ninitializer: he_normal", "initializer"),
        (START + "activation: relu\ninitializer: glorot_uniform", "initializer"),
        (OWN.replace("selu, %s", "relu, %s") % "initializer: lecun_normal",
         "architecture.hidden.1.initializer"),
        START + "activation: relu\ninitializer: he_uniform",
        START + "activation: tanh\ninitializer: lecun_normal",
        START + "activation: relu\ninitializer: orthogonal",
        START + "activation: relu\ninitializer: glorot_uniform\nnormalization: batch",
        SELU + "initializer: he_normal",  # which has a rule of its own
    ),
    "moved_pixels_out_of_range": (
        (MOVED % ("shift: 1", "per_feature"), "data.standardize"),
        (MOVED % ("crop: 1", "per_feature"), "data.standardize"),
        MOVED % ("shift: 1", "per_channel"),
        MOVED % ("flip: true", "per_feature"),
    ),
    "kernels_all_alike": (
        (START + "initializer: zeros", "initializer"),
        START + "initializer: random_normal",
        START + "bias_initializer: zeros",
    ),
    "activation_without_effect": (
        (RNN + "activation: elu", "activation"),
        (START.replace("[10, 10]", "[]") + "activation: elu", "activation"),
        RNN,
        RNN.replace("[4]", "[4], hidden: [5]") + "activation: elu",
    ),
    "schedule_longer_than_the_training": (
        (START + "schedule: piecewise_constant\ntraining: {epochs: 4}", "schedule.boundaries"),
        (
            START + "schedule: {name: cosine, first_cycle: 9}\ntraining: {epochs: 8}",
            "schedule.first_cycle",
        ),
        (START + "schedule: {name: linear, over: 9}\ntraining: {epochs: 8}", "schedule.over"),
        START + "schedule: {name: linear, over: 9}\ntraining: {epochs: 9}",
        (
            START + "schedule: {name: constant, warm_up: {updates: 50}}\n"
            "training: {epochs: {updates: 40}}",
            "schedule.warm_up",
        ),
        START + "schedule: piecewise_constant\ntraining: {epochs: 6}",
        START + "schedule: {name: constant, warm_up: {updates: 50}}\ntraining: {epochs: 2}",
    ),
    "rate_far_too_high": (
        (START + "optimizer: {name: sgd, lr: 0.3}", "optimizer.lr"),
        (START + "optimizer: {name: adam, lr: 0.03}", "optimizer.lr"),
        START + "optimizer: {name: sgd, lr: 0.2}",
        START + "optimizer: {name: adam, lr: 0.01}",
    ),
    "clipping_by_value_turns": (
        (START + "gradient_clipping: {value: 1}", "gradient_clipping.value"),
        START + "gradient_clipping: {norm: 1}",
        START,
    ),
    "bias_before_batch_norm": (
        (
            START.replace("]}", "], use_bias: true}")
            + "normalization: {name: batch, place: before_activation}",
            "architecture.use_bias",
        ),
        START + "normalization: {name: batch, place: before_activation}",
        START.replace("]}", "], use_bias: true}") + "normalization: batch",
    ),
    "machines_need_sigmoids": (
        (START + "pretraining: rbm", "activation"),
        (
            START.replace("10]", "{units: 10, activation: tanh}]")
            + "activation: sigmoid\npretraining: rbm",
            "architecture.hidden.1.activation",
        ),
        START + "activation: sigmoid\npretraining: rbm",
        START + "pretraining: autoencoder",
    ),
    "adversaries_do_not_converge": (
        (
            START + "pretraining: gan\nregularization: {early_stopping: {patience: 5}}",
            "regularization.early_stopping",
        ),
        (START + "pretraining: gan\nschedule: performance", "schedule"),
        START + "pretraining: gan\nschedule: one_cycle\noptimizer: {momentum: 0.9}",
        START + "pretraining: masked\nregularization: {early_stopping: {patience: 5}}",
    ),
    "layers_that_wait_for_their_turn": (
        (
            START + "pretraining: rbm\nregularization: {early_stopping: {patience: 5}}",
            "regularization.early_stopping",
        ),
        (
            START + "pretraining: {name: autoencoder, greedy: true}\nschedule: performance",
            "schedule",
        ),
        START + "pretraining: autoencoder\nregularization: {early_stopping: {patience: 5}}",
        START + "pretraining: rbm\nschedule: exponential",
    ),
}  # fmt: skip
CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


def findings(rule: str, text: str) -> list[str]:
    (function,) = (each for each in RULES if each.__name__ == rule)
    return [".".join(map(str, found.path)) for found in function(experiment_of(text))]


def test_every_rule_has_cases_a_reason_and_a_source() -> None:
    assert set(CASES) == {rule.__name__ for rule in RULES}
    assert all(rule.__doc__ for rule in RULES)
    for rule, cases in CASES.items():
        for case in cases:
            if isinstance(case, tuple):
                (function,) = (each for each in RULES if each.__name__ == rule)
                (found,) = function(experiment_of(case[0]))
                assert found.message.rstrip(")")[-4:].isdecimal() or "section" in found.message


@pytest.mark.parametrize(
    ("rule", "case"), [(rule, case) for rule, cases in CASES.items() for case in cases]
)
def test_a_rule_speaks_when_it_should_and_only_then(rule: str, case: str | tuple[str, str]) -> None:
    if isinstance(case, tuple):
        assert findings(rule, case[0]) == [case[1]]
    else:
        assert findings(rule, case) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_false_alarm_on_the_shipped_configs(path: Path) -> None:
    assert lint(read(path).experiment) == []
