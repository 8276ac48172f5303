"""Configs that are nearly right: each is read, or refused with its problems, and soon."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dnnlab.choices.datasets import Signature
from dnnlab.config.read import Config, read
from dnnlab.config.write import to_yaml
from dnnlab.errors import ConfigError, DnnlabError
from dnnlab.experiment import Experiment
from dnnlab.lint import lint
from dnnlab.spec import Choice, families_in, specs_in
from tests.support import cases

SECONDS = 5.0
"""No config takes longer; most take a millisecond. The machine may be busy."""
ODD: list[Any] = [
    *(0, 1, 2, 3, 7, 64, -1, 2**31, 10**12, 10**400, 0.5, 1e-3, 1e-300, 1e300, -0.0),
    *(True, False, None, "auto", "", "x", "1e-3", "selu", "\x1b[2J", "..", [], {}, [[]], [1, 2, 3]),
    *({"epochs": 1}, {"updates": 3}, {"name": "sgd"}, {"name": 3}, {"units": 5, "repeat": 2}),
    *({"fraction": 0.5}, {"first": 5}, {"units": 1, "repeat": 10**9}, [{"units": 4}], ["a", "b"]),
]
USUAL: list[Any] = [1, 2, 5, 0.1, 0.5, 0.9, 1e-3, True, False, "auto"]
KEYS = list(Experiment.model_fields)


@st.composite
def group(draw: st.DrawFn, spec: type, depth: int = 0) -> dict[str, Any]:
    """A group of settings with some of its keys, some of them right."""
    fields = spec.model_fields  # type: ignore[attr-defined]
    chosen = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=2))
    value = {key: draw(setting(fields[key].annotation, depth + 1)) for key in chosen}
    if draw(st.integers(0, 30)) == 0:
        value[draw(st.sampled_from(["wings", "Lr", "name ", "", "0", "nmae"]))] = 1
    return value


@st.composite
def setting(draw: st.DrawFn, annotation: Any, depth: int = 0) -> Any:
    """A value for a setting: a choice of its family, a group, or something odd."""
    if depth > 3 or draw(st.integers(0, 15)) == 0:
        return draw(st.sampled_from(ODD))
    if families := list(families_in(annotation)):
        family = draw(st.sampled_from(families))
        name = draw(st.sampled_from(sorted(family.members)))
        if draw(st.integers(0, 2)):
            return name
        return {"name": name, **draw(group(family.member(name), depth))}
    if specs := [each for each in specs_in(annotation) if not issubclass(each, Choice)]:
        return draw(group(draw(st.sampled_from(specs)), depth))
    return draw(st.sampled_from(USUAL) | st.sampled_from(USUAL) | st.sampled_from(ODD))


@st.composite
def config(draw: st.DrawFn) -> dict[str, Any]:
    """A whole config: with data and layers, and some of the other keys."""
    value: dict[str, Any] = {"data": "digits", "architecture": {"name": "mlp", "hidden": [4]}}
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3)):
        value[key] = draw(setting(Experiment.model_fields[key].annotation))
    return value


def opened(path: Path, *options: str) -> Config | None:
    """Reads a config. Returns None if it was refused as it should be."""
    started = time.monotonic()
    try:
        found, refusal = read(path, options), None
    except ConfigError as error:
        found, refusal = None, error
    assert time.monotonic() - started < SECONDS
    if refusal is not None:
        assert refusal.message
        assert all(each.message and "\n" not in each.message for each in refusal.problems)
    return found


quick = settings(
    max_examples=cases(120),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "config.yaml"


@quick
@given(value=config())
def test_settings_that_are_nearly_right(value: dict[str, Any], place: Path) -> None:
    """What is accepted can be written, read back, planned, warned of and built, or is refused."""
    place.write_text(json.dumps(value), encoding="utf-8")
    found = opened(place)
    if found is None:
        return
    started = time.monotonic()
    text = to_yaml(found.experiment)
    place.write_text(text, encoding="utf-8")
    again = opened(place)
    assert again is not None, text
    assert again.experiment == found.experiment
    list(lint(found.experiment))
    plan = found.experiment.plan(1000)
    assert plan.total_updates >= 1
    for signature in (Signature((8, 8), 10, "classification"), Signature((13,), 1, "regression")):
        if signature.task == found.experiment.data.task_of_data:
            try:
                found.network(signature)
            except DnnlabError:
                continue
    assert time.monotonic() - started < 2 * SECONDS


@quick
@given(value=config(), harm=st.data())
def test_text_that_is_nearly_yaml(value: dict[str, Any], harm: st.DataObject, place: Path) -> None:
    lines = "\n".join(f"{key}: {json.dumps(each)}" for key, each in value.items())
    for _ in range(harm.draw(st.integers(1, 3))):
        at = harm.draw(st.integers(0, len(lines)))
        piece = harm.draw(
            st.sampled_from(
                [
                    "\t",
                    "\n",
                    "\0",
                    "&a ",
                    "*a",
                    "!!python/name:os.system ",
                    "---\n",
                    "...\n",
                    "{",
                    "]",
                ]
                + [
                    "\ufeff",
                    "# ",
                    "'",
                    '"',
                    ": ",
                    "- ",
                    "|\n",
                    "%YAML 1.1\n",
                    "<<: ",
                    "? ",
                    "\u2028",
                ]
                + ["\x1b[31m", "\\x", "é", "\U0001f600", "data: digits\n", "extends: x.yaml\n", "@"]
            )
        )
        cut = harm.draw(st.integers(0, 3))
        lines = lines[:at] + piece + lines[at + cut :]
    place.write_bytes(lines.encode("utf-8", "surrogatepass"))
    opened(place)


@quick
@given(
    key=st.lists(st.sampled_from([*KEYS, "lr", "name", "epochs", "hidden", "x"]), max_size=3),
    value=st.sampled_from(ODD),
)
def test_any_option(key: list[str], value: Any, place: Path) -> None:
    place.write_text("data: digits\narchitecture: {name: mlp, hidden: [4]}\n", encoding="utf-8")
    opened(place, f"{'.'.join(key)}={json.dumps(value)}")
