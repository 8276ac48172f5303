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
        SELU,
        START.replace("digits", "{name: digits, standardize: range}"),
    ),
    "selu_needs_alpha_dropout": (
        (SELU + "regularization: {dropout: 0.2}", "regularization.dropout"),
        (OWN % "dropout: 0.5", "architecture.hidden.1.dropout"),
        SELU + "regularization: {dropout: {rate: 0.2, kind: alpha}}",
        SELU + "regularization: {dropout: 0}",
        START + "regularization: {dropout: 0.2}",
        # Of two layers the first is selu's, and only the top one is dropped.
        START.replace("hidden: [10, 10]", "hidden: [{units: 9, activation: selu}, 9]")
        + "regularization: {dropout: {rate: 0.2, where: {top: 1}}}",
    ),
    "selu_without_penalties": (
        (SELU + "regularization: {l2: 1e-4}", "regularization.l2"),
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
        SELU + "regularization: {dropout: {rate: 0.2, kind: alpha}}",
        START + "regularization: {dropout: 0.2}",
    ),
    "l2_is_not_weight_decay": (
        (START + "optimizer: nadam\nregularization: {l2: 1e-4}", "regularization.l2"),
        START + "optimizer: sgd\nregularization: {l2: 1e-4}",
        START + "optimizer: nadam",
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
