from __future__ import annotations

from pathlib import Path

import pytest

from dnnlab.config.read import read
from dnnlab.errors import ConfigError, DivergedError
from dnnlab.methods.summary import preview, summarize
from tests.support import DIGITS, config_file

BATCH_NORM = Path("configs/batch_norm.yaml")
KERAS = {"total": 271_346, "trainable": 268_978, "not_trainable": 2_368}
"""What Keras's summary() says of flatten, BN, 300, BN, 100, BN, 10 on 28 x 28 inputs."""


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ([], KERAS),
        (
            ["normalization.place=before_activation", "architecture.use_bias=false"],
            {"total": 270_946, "trainable": 268_578, "not_trainable": 2_368},
        ),
        (
            ["normalization.place=before_activation"],  # auto leaves out the biases by itself
            {"total": 270_946, "trainable": 268_578, "not_trainable": 2_368},
        ),
        (
            ["architecture.hidden=[256]"],
            {"total": 207_690, "trainable": 205_610, "not_trainable": 2_080},
        ),
        (
            ["architecture.hidden=[256]", "normalization.place=before_activation"],
            {"total": 207_434, "trainable": 205_354, "not_trainable": 2_080},
        ),
    ],
)
def test_counts_are_keras_counts(options: list[str], counts: dict[str, int]) -> None:
    assert summarize(read(BATCH_NORM, options)).to_json()["parameters"] == counts


def test_a_row_per_layer(tmp_path: Path) -> None:
    config = config_file(tmp_path, DIGITS, "architecture.hidden=[16, {units: 4, repeat: 2}]")
    found = summarize(config)
    assert found.input_shape == (8, 8)
    rows = [(row.name, row.kind, row.output_shape, row.trainable) for row in found.layers]
    assert rows == [
        ("flatten", "Flatten", (64,), 0),
        ("dense1", "Linear", (16,), 64 * 16 + 16),
        ("relu1", "ReLU", (16,), 0),
        ("dense2", "Linear", (4,), 16 * 4 + 4),
        ("relu2", "ReLU", (4,), 0),
        ("dense3", "Linear", (4,), 4 * 4 + 4),
        ("relu3", "ReLU", (4,), 0),
        ("output", "Linear", (10,), 4 * 10 + 10),
    ]
    assert found.trainable == sum(row.trainable for row in found.layers)


def test_a_net_too_large_for_any_memory_is_summarized(tmp_path: Path) -> None:
    wide = "architecture.hidden=[{units: 10000000, repeat: 2}]"
    assert summarize(config_file(tmp_path, DIGITS, wide)).trainable > 10**14


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    config = config_file(tmp_path)
    before = sorted(tmp_path.iterdir())
    found = preview(config)
    assert sorted(tmp_path.iterdir()) == before
    assert found.trainable == 64 * 16 + 16 + 16 * 10 + 10
    assert (found.updates, found.updates_per_epoch) == (12, 21)
    assert sum(found.sizes.values()) == 1797
    assert found.seconds > 0
    assert found.memory_bytes > 1797 * 64 * 4
    assert found.to_json()["schema"] == 1


def test_a_dry_run_that_diverges_says_so(tmp_path: Path) -> None:
    config = config_file(tmp_path, DIGITS, "optimizer={name: sgd, lr: 1e30}")
    with pytest.raises(DivergedError, match=r"update \d: .* is not finite"):
        preview(config)


def test_a_net_that_does_not_fit_the_table_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 7},{i}\n" for i in range(50)))
    text = "data: {name: csv, path: t.csv, target: y, task: regression}\n"
    config = config_file(tmp_path, text + "architecture: {name: cnn, convolutions: [4]}\n")
    with pytest.raises(ConfigError) as caught:
        summarize(config)
    (problem,) = caught.value.problems
    assert problem.place == "2:15"
    assert "cnn is for images" in problem.message
