"""Configs that are nearly right: each is read, or refused with its problems, and soon."""

from __future__ import annotations

import math
import time
from itertools import islice
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnlab.choices.datasets import Signature
from dnnlab.config.read import Config, read
from dnnlab.config.write import to_yaml
from dnnlab.contradictions import contradictions_with_data
from dnnlab.errors import ConfigError
from tests.config.almost import ANYTHING, as_text, experiments, options, texts
from tests.support import cases

SECONDS = 5.0
"""Of the processor. No config takes longer; most take a few milliseconds."""
LAYERS = 60
"""Nets of more are not built here: that takes its time, as it may."""
BASE = "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"
DATA = (
    *(
        "digits",
        "mnist",
        "cifar10",
        "wine",
        "diabetes",
        "spiral",
        "{name: digits, classes: [1, 2]}",
    ),
    *("{name: csv, path: x.csv, target: y, task: regression}", "{name: image_folder, path: x}"),
)


def opened(path: Path, *options: str) -> Config | None:
    """Reads a config. Returns None if it was refused as it should be."""
    started = time.process_time()
    try:
        found, refusal = read(path, options), None
    except ConfigError as error:
        found, refusal = None, error
    assert time.process_time() - started < SECONDS
    if refusal is not None:
        assert refusal.message
        assert all(each.message and "\n" not in each.message for each in refusal.problems)
    return found


def use(config: Config, place: Path) -> None:
    """Does everything with a config that was accepted but train it."""
    experiment = config.experiment
    place.write_text(to_yaml(experiment), encoding="utf-8")
    again = opened(place)
    assert again is not None
    assert again.experiment == experiment
    assert again.experiment.digest() == experiment.digest()
    config.warnings()
    plan, schedule = experiment.plan(1000), experiment.schedule
    assert plan.total_updates >= 1
    for step in (0, 1, plan.total_updates // 2, plan.total_updates - 1):
        assert 0 <= schedule.lr_factor(step, plan.span) < math.inf
        momentum = schedule.momentum(step, plan.span)
        assert momentum is None or 0 <= momentum < 1
        assert step < plan.next_boundary(step) <= plan.total_updates or step >= plan.total_updates
    if len(list(islice(experiment.layers(), LAYERS))) < LAYERS:
        build(config)


def build(config: Config) -> None:
    """Builds the net for its data as a training does, without memory for its numbers, and applies
    it; or sees it refused.
    """
    task = config.experiment.data.task_of_data
    signature = config.experiment.data.shape() or Signature((13,), 2, task)
    if contradictions_with_data(config.experiment, signature, 1000, 100):
        return
    try:
        network = config.network(signature)
    except ConfigError:
        return
    with torch.device("meta"):
        assert len(network.module(torch.empty((4, *signature.input_shape)))) == 4


quick = settings(
    max_examples=cases(100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "base.yaml").write_text(BASE)
    return folder / "config.yaml"


@quick
@given(chosen=st.lists(options(), max_size=3), data=st.sampled_from(DATA))
def test_settings_that_are_nearly_right(chosen: list[str], data: str, place: Path) -> None:
    """What is accepted can be written, read back, planned, warned of and built, or is refused."""
    place.write_text(BASE)
    started = time.process_time()
    found = opened(place, f"data={data}", *chosen)
    if found is not None:
        use(found, place.with_name("again.yaml"))
    assert time.process_time() - started < 3 * SECONDS


@quick
@given(data=experiments())
def test_experiments_that_are_nearly_right(data: object, place: Path) -> None:
    place.write_text(as_text(data), encoding="utf-8")
    found = opened(place)
    if found is not None:
        use(found, place.with_name("again.yaml"))


@quick
@given(content=texts())
def test_text_that_is_nearly_yaml(content: bytes, place: Path) -> None:
    place.write_bytes(content)
    opened(place)


@quick
@given(key=st.text(max_size=12) | st.just("optimizer.lr"), value=ANYTHING | st.text())
def test_any_option(key: str, value: object, place: Path) -> None:
    place.write_text(BASE)
    opened(place, f"{key}={value}")
    opened(place, f"{key}={as_text(value)}")
