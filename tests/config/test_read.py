from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnlab.choices.architectures.mlp import Mlp
from dnnlab.choices.initializers.scaling import GlorotUniform, HeNormal, LecunNormal
from dnnlab.choices.optimizers.adaptive import Nadam
from dnnlab.config.read import read
from dnnlab.contradictions import Finding
from dnnlab.errors import ConfigError
from tests.support import DIGITS, cases, config_file, experiment_of


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_reading_a_file(tmp_path: Path) -> None:
    config = config_file(tmp_path)
    assert config.name == "tiny"
    assert config.text == DIGITS.encode()
    assert config.experiment.training.batch_size == 64


def test_options_lie_over_the_file(tmp_path: Path) -> None:
    experiment = config_file(tmp_path, DIGITS, "optimizer=nadam", "training.seed=7").experiment
    assert experiment.optimizer == Nadam()
    assert experiment.training.seed == 7


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config_file(tmp_path, DIGITS, "optimizer.lr=nan", "optimizer.name=sgd")
    assert [(p.place, p.message) for p in caught.value.problems] == [
        ("--set optimizer.lr", 'optimizer.lr: "nan" is not a number')
    ]


def test_a_config_extends_another_in_its_own_folder(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", DIGITS)
    (tmp_path / "sub").mkdir()
    path = write(tmp_path / "sub" / "b.yaml", "extends: ../base.yaml\nactivation: selu\n")
    experiment = read(path).experiment
    assert experiment.activation.name == "selu"
    assert experiment.training.batch_size == 64


def test_mistakes_in_the_base_name_its_file_and_come_last(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", DIGITS.replace("batch_size: 64", "batch_size: 0"))
    path = write(tmp_path / "b.yaml", "extends: base.yaml\nactivation: sellu\n")
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert [problem.place for problem in caught.value.problems] == ["2:13", "base.yaml 4:47"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extends: none.yaml", "extends: there is no file"),
        ("extends: 3", "extends: the name of a file is expected"),
        ("extends: deep.yaml", "one level is enough"),
        ("extends: .", "extends: "),
    ],
)
def test_what_cannot_be_extended(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path / "deep.yaml", "extends: other.yaml\ndata: digits\n")
    with pytest.raises(ConfigError) as caught:
        read(write(tmp_path / "a.yaml", text))
    assert expected in caught.value.problems[0].message


def test_a_missing_file_suggests_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "selu100.yaml", DIGITS)
    with pytest.raises(ConfigError, match=r"did you mean .*selu100\.yaml\?"):
        read(tmp_path / "selu10.yaml")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a file"):
        read(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="cannot be read"):
        read("a\0b.yaml")
    sparse = tmp_path / "big.yaml"
    with sparse.open("wb") as file:
        file.truncate(100_000_000)
    started = time.perf_counter()
    with pytest.raises(ConfigError, match="over 1 MB"):
        read(sparse)
    assert time.perf_counter() - started < 0.1


def test_auto_is_resolved_by_activation_and_task() -> None:
    experiment = experiment_of(
        "data: diabetes\n"
        "architecture: {name: mlp, hidden: [5, {units: 5, activation: selu}, {units: 5, "
        "activation: selu, initializer: glorot_uniform}]}\n"
        "schedule: one_cycle\noptimizer: nadam\n"
    )
    assert isinstance(experiment.architecture, Mlp)
    hidden = experiment.architecture.hidden
    assert experiment.initializer == HeNormal()
    assert [layer.initializer for layer in hidden] == [None, LecunNormal(), GlorotUniform()]
    assert experiment.architecture.output.initializer == GlorotUniform()
    assert experiment.loss.name == "mse"
    assert [metric.name for metric in experiment.metrics] == ["mae", "rmse", "r2"]
    assert json.loads(experiment.schedule.model_dump_json())["cycle_momentum"] is True


def test_an_initializer_that_was_chosen_stays(tmp_path: Path) -> None:
    text = DIGITS + "initializer: lecun_normal\nactivation: relu\n"
    assert config_file(tmp_path, text).experiment.initializer == LecunNormal()


def test_resolving_twice_changes_nothing() -> None:
    experiment = experiment_of(DIGITS)
    assert experiment.resolved() == experiment


def test_findings_get_their_places(tmp_path: Path) -> None:
    config = config_file(tmp_path)
    error = config.refusal([Finding(("training", "batch_size"), "64 is too many")])
    assert [(p.place, p.message) for p in error.problems] == [
        ("4:47", "training.batch_size: 64 is too many")
    ]


def test_the_lint_warns_with_places(tmp_path: Path) -> None:
    config = config_file(tmp_path, DIGITS + "activation: selu\nregularization: {l2: 1e-4}\n")
    assert [problem.place for problem in config.warnings()] == ["6:22"]


WORDS = ("data", "name", "mlp", "hidden", "optimizer", "lr", "sgd", "training", "units", "auto")
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(
    key=st.sampled_from(
        ["data", "architecture", "optimizer", "schedule", "regularization", "training", "metrics"]
        + ["activation", "initializer", "normalization", "gradient_clipping", "loss", "extra"]
    ),
    value=VALUES,
)
@settings(max_examples=cases(300), deadline=None)  # the first example imports every choice
def test_any_value_anywhere_is_accepted_or_refused_cleanly(key: str, value: object) -> None:
    from dnnlab.config.read import validate
    from dnnlab.config.yaml12 import Document

    data = {"data": "digits", "architecture": {"name": "mlp", "hidden": [3]}, key: value}
    try:
        validate(Document(data=data), subject="x", folder=Path())
    except ConfigError as error:
        sentences = [problem.message for problem in error.problems]
    else:
        sentences = ["accepted"]
    assert sentences
    assert all(sentence and "\n" not in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("optimizer: {name: sgd, lr: -1}", "dnnlab describe optimizer"),
        ("metrics: [acuracy]", "dnnlab describe metric"),
        ("training: {epochs: 0}", "dnnlab describe training"),
        ("optimzer: sgd", "dnnlab describe"),
    ],
)
def test_a_refusal_names_a_command_that_explains(line: str, remedy: str, tmp_path: Path) -> None:
    text = "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"
    with pytest.raises(ConfigError) as caught:
        read(write(tmp_path / "a.yaml", text + line))
    assert caught.value.remedy == remedy
