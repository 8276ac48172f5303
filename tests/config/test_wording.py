"""Error sentences, as sentences."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.datasets import Dataset
from dnnlab.choices.optimizers import Optimizer
from dnnlab.choices.optimizers.adaptive import Nadam
from dnnlab.config.wording import dotted, nearest, shown, spec_at
from dnnlab.experiment import Training
from tests.support import refusal_of

START = "data: digits\narchitecture: {name: mlp, hidden: [10]}\n"
OPTIMIZERS = ", ".join(Optimizer.members)
WITH_BETA1 = ", ".join(
    name for name in Optimizer.members if "beta1" in Optimizer.member(name).model_fields
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("optimizer: {name: sgd, lr: -0.1}", "3:28 optimizer.lr: -0.1 is not greater than 0"),
        ("optimizer: {name: sgd, lr: 0}", "3:28 optimizer.lr: 0 is not greater than 0"),
        (
            'optimizer: {name: sgd, lr: "1e-3"}',
            '3:28 optimizer.lr: "1e-3" is not a number; take off the quotes: 1e-3',
        ),
        ("optimizer: {name: sgd, lr: fast}", '3:28 optimizer.lr: "fast" is not a number'),
        ("optimizer: {name: sgd, lr: true}", "3:28 optimizer.lr: true is not a number"),
        ("optimizer: {name: sgd, lr: .nan}", "3:28 optimizer.lr: .nan is not a finite number"),
        ("optimizer: {name: sgd, lr: -.inf}", "3:28 optimizer.lr: -.inf is not a finite number"),
        ("optimizer: {name: sgd, lr: null}", "3:28 optimizer.lr: null is not a number"),
        ("optimizer: {name: sgd, lr: [1]}", "3:28 optimizer.lr: a list is not a number"),
        (
            "optimizer: {name: sgd, momentum: 1.0}",
            "3:34 optimizer.momentum: 1.0 is not less than 1",
        ),
        (
            "optimizer: {name: sgdd}",
            "3:19 unknown optimizer \"sgdd\"; did you mean 'sgd'?",
        ),
        ("optimizer: xyz", f'3:12 unknown optimizer "xyz" (one of {OPTIMIZERS})'),
        ("optimizer: {beta1: 0.1}", f"3:1 optimizer needs a name: one of {OPTIMIZERS}"),
        ("optimizer: 3", f"3:12 optimizer: 3 is not one of {OPTIMIZERS}"),
        ("optimizer: [sgd]", f"3:12 optimizer: a list is not one of {OPTIMIZERS}"),
        ("optimzer: sgd", "3:1 unknown key 'optimzer'; did you mean 'optimizer'?"),
        (
            "optimizer: {name: sgd, beta1: 0.9}",
            f"3:24 unknown key 'beta1' in optimizer; did you mean optimizer.beta1 of {WITH_BETA1}?",
        ),
        (
            "optimizer: {name: sgd, widget: 0.9}",
            "3:24 unknown key 'widget' in optimizer; known here: name, lr, momentum, nesterov, "
            "weight_decay",
        ),
        ("lr: 0.1", "3:1 unknown key 'lr'; did you mean optimizer.lr?"),
        ("batch_size: 8", "3:1 unknown key 'batch_size'; did you mean training.batch_size?"),
        ("<<: {a: 1}", "3:1 unknown key '<<'; use `extends: base.yaml` for a common base"),
        (
            "training: {batch_size: 3.5}",
            "3:24 training.batch_size: 3.5 is not a whole number",
        ),
        ("training: {epochs: -1}", "3:20 training.epochs: -1 is not greater than 0"),
        (
            "training: {epochs: {epochs: 1, updates: 2}}",
            "3:20 training.epochs: give either epochs or updates",
        ),
        (
            "training: {threads: many}",
            '3:21 training.threads: "many" is not auto or a whole number',
        ),
        ("training: {threads: 0}", "3:21 training.threads: 0 is not auto or at least 1"),
        (
            "training: {device: gpu}",
            '3:20 training.device: "gpu" is not auto, cpu, cuda or cuda:1',
        ),
        (
            "training: {precision: float8}",
            "3:23 training.precision: \"float8\" is not 'float32', 'bfloat16', 'float16' or "
            "'float64'",
        ),
        (
            "regularization: {dropout: {rate: 1.5}}",
            "3:34 regularization.dropout.rate: 1.5 is not less than 1",
        ),
        ("regularization: {dropout: 1}", "3:27 regularization.dropout: 1 is not less than 1"),
        (
            "regularization: {dropout: {kind: alpha}}",
            "3:18 regularization.dropout.rate is missing",
        ),
        ("regularization: 3", "3:17 regularization: 3 is not a mapping of settings"),
        (
            "gradient_clipping: {norm: 1, value: 1}",
            "3:20 gradient_clipping: give one of value, norm, norm_per_tensor",
        ),
        ("metrics: accuracy", '3:10 metrics: "accuracy" is not a list'),
        (
            "metrics: [accuracy, acuracy]",
            "3:21 unknown metric \"acuracy\"; did you mean 'accuracy'? "
            "(one of accuracy, top_k, confusion, mae, rmse, r2)",
        ),
    ],
)
def test_one_mistake_one_sentence(line: str, expected: str) -> None:
    assert refusal_of(START + line + "\n") == [expected]


def test_a_mistake_inside_a_layer_names_the_layer() -> None:
    layers = "  hidden:\n  - 10\n  - {units: 5, activaton: elu}"
    text = f"data: digits\narchitecture:\n  name: mlp\n{layers}"
    assert refusal_of(text) == [
        "6:16 unknown key 'activaton' in architecture.hidden[1]; did you mean 'activation'?"
    ]


def test_what_is_missing_is_listed_with_what_there_is() -> None:
    assert refusal_of("activation: relu") == [
        f" data is missing; give one of {', '.join(Dataset.members)}",
        f" architecture is missing; give one of {', '.join(Architecture.members)}",
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        "data: {name: digits, validaton: 0.1}\n"
        "architecture: {name: mlp, hidden: [0]}\n"
        "activation: sellu\n"
        "optimizer: {name: sgd, lr: '0.1'}\n"
        "training: {epochs: 0}\n"
    )
    assert [line.split()[0] for line in refusal_of(text)] == [
        "1:22",
        "2:36",
        "3:13",
        "4:28",
        "5:20",
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "loss: mse",
            "3:7 loss: mse is for regression, but data are for classification",
        ),
        (
            "metrics: [accuracy, rmse]",
            "3:21 metrics[1]: rmse is for regression, but data are for classification",
        ),
        (
            "training: {monitor: mae}",
            "3:21 training.monitor: mae is not measured; this experiment measures accuracy, loss",
        ),
        (
            "schedule: performance",
            "3:11 schedule: looks at the validation split, but data.validation is null",
        ),
        (
            "schedule: {name: one_cycle, cycle_momentum: true}",
            "3:45 schedule.cycle_momentum: there is none to cycle: sgd has momentum 0",
        ),
        (
            "optimizer: {name: sgd, nesterov: true}",
            "3:34 optimizer.nesterov: needs a momentum above 0, such as optimizer.momentum: 0.9",
        ),
    ],
)
def test_settings_that_exclude_each_other(lines: str, expected: str) -> None:
    start = START
    if "performance" in lines:
        start = START.replace("digits", "{name: digits, validation: null}")
    assert refusal_of(start + lines) == [expected]


def test_nearest_word() -> None:
    assert nearest("optimzer", ["optimizer", "data"]) == "optimizer"
    assert nearest("Sellu", ["selu", "relu"]) == "selu"
    assert nearest("zzz", ["selu", "relu"]) is None
    assert nearest("selu" * 20, ["selu" * 20]) is None  # to compare long words takes long


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", '"a"'), (None, "null"), ({}, "a mapping"), (float("inf"), ".inf"), ("x" * 99, "...")],
)
def test_values_are_shown_as_yaml(value: Any, text: str) -> None:
    assert shown(value).endswith(text)
    assert len(shown(value)) <= 60


def test_dotted_paths() -> None:
    assert dotted(("architecture", "hidden", 0, "units")) == "architecture.hidden[0].units"
    assert dotted(("a", "x" * 1000)) == f"a.'{'x' * 57}...'"


def test_finding_the_spec_at_a_path() -> None:
    data = {"optimizer": {"name": "nadam"}, "training": {}}
    assert spec_at(("optimizer",), data) is Nadam
    assert spec_at(("training",), data) is Training
    assert spec_at(("training", "seed"), data) is None


def test_of_very_many_problems_a_screen_full_is_worded_best() -> None:
    keys = "".join(f"optimzer{number}: 1\n" for number in range(2400))
    started = time.process_time()
    found = refusal_of(f"{START}{keys}")
    assert time.process_time() - started < 2  # a tenth of that where nothing else runs
    assert len(found) == 2400
    assert found[0] == "3:1 unknown key 'optimzer0'; did you mean 'optimizer'?"
    assert found[19].endswith("did you mean 'optimizer'?")
    assert found[20] == "23:1 optimzer20: Extra inputs are not permitted"


def test_what_comes_first_in_the_file_is_worded_best() -> None:
    layers = ", ".join(["x"] * 30)
    found = refusal_of(
        f"optimzer: sgd\ndata: digits\narchitecture: {{name: mlp, hidden: [{layers}]}}\n"
    )
    assert found[0] == "1:1 unknown key 'optimzer'; did you mean 'optimizer'?"
    assert found[19] == '3:90 architecture.hidden[18]: "x" is not a whole number'
    assert found[20] == ("3:93 architecture.hidden[19]: Input should be a valid integer")


@pytest.mark.parametrize(
    "line",
    [
        f"? {'x' * 900_000}\n: 1",
        f"optimizer: {{name: sgd, {'x' * 1000}: 1}}",
        f"{'y' * 1000}: {{{'x' * 1000}: 1}}",
        f"training: {{batch_size: '{'1' * 900_000}'}}",
        f"activation: {'x' * 900_000}",
    ],
)
def test_what_is_long_is_shortened(line: str) -> None:
    started = time.process_time()
    (found,) = refusal_of(f"{START}{line}\n")
    assert len(found) < 400
    assert time.process_time() - started < 1


def test_a_mistake_in_an_entry_is_said_once() -> None:
    """Not also as a list that is too short without it."""
    net = "data: digits\narchitecture: {name: autoencoder, hidden: ["
    (problem,) = refusal_of(f"{net}0]}}\n")
    assert problem == "2:44 architecture.hidden[0]: 0 is not at least 1"
    (problem,) = refusal_of(f"{net}]}}\n")
    assert problem == "2:43 architecture.hidden: 1 or more are expected"
