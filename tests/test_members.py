"""Every choice of every family: it round-trips through YAML, builds, refuses what is out of range,
states its source, and takes a finite update. Adding a choice enrols it here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from dnnlab.choices import FAMILIES, members
from dnnlab.config.read import read
from dnnlab.config.write import to_yaml
from dnnlab.methods.session import assemble
from dnnlab.spec import Spec
from tests.support import DIGITS, config_file, refusal_of
from tests.variations import CHOICES, text_of

CASES = [(family, name) for family in FAMILIES for name in members(family)]


def spec_of(family: str, name: str) -> type[Spec]:
    return members(family)[name]


def limits(spec: type[Spec]) -> Iterator[tuple[str, Any]]:
    """Yields (setting, a value just out of its range) for every bound that is declared."""
    for name, field in spec.model_fields.items():
        bounds = [b for each in field.metadata for b in (getattr(each, "metadata", None) or [each])]
        for bound in bounds:
            for word, step in (("gt", 0), ("ge", -1), ("lt", 0), ("le", 1)):
                limit = getattr(bound, word, None)
                if limit is not None:
                    yield name, type(limit)(limit + step) if step else limit


def test_every_choice_is_tried() -> None:
    """One line in tests/variations.py per choice, so that nothing is left out in silence."""
    assert {(family, name) for family, name, _ in CHOICES} >= set(CASES)


@pytest.mark.parametrize(("family", "name"), CASES)
def test_a_choice_explains_itself(family: str, name: str) -> None:
    spec = spec_of(family, name)
    text = inspect.cleandoc(spec.__doc__ or "")
    headline = text.split("\n\n")[0]
    assert headline.endswith(".")
    assert len(headline) < 130
    if name != "auto":
        assert re.search(r"^    \S", text, re.MULTILINE), "a formula, indented"
    assert "Source: " in text
    assert "Keras" in text
    assert "PyTorch" in text
    meanings = spec.field_meanings()
    for setting in spec.model_fields:
        assert setting == "name" or meanings.get(setting, "").endswith("."), setting


@pytest.mark.parametrize(("family", "name"), CASES)
def test_what_is_out_of_range_is_refused_by_name(family: str, name: str) -> None:
    spec = spec_of(family, name)
    for setting, value in limits(spec):
        with pytest.raises(ValidationError) as caught:
            spec.model_validate({"name": name, setting: value})
        assert setting in {error["loc"][0] for error in caught.value.errors()}


@pytest.mark.parametrize(("family", "name"), CASES)
def test_unknown_settings_are_refused(family: str, name: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        spec_of(family, name).model_validate({"name": name, "no_such_setting": 1})


@pytest.mark.parametrize(("family", "name", "lines"), CHOICES, ids=lambda value: str(value)[:40])
def test_a_choice_round_trips_and_takes_a_finite_update(
    family: str, name: str, lines: str, tmp_path: Path
) -> None:
    session = assemble(config_file(tmp_path, text_of(lines, tmp_path)))
    path = tmp_path / "again.yaml"
    path.write_text(to_yaml(session.experiment), encoding="utf-8")
    assert read(path).experiment == session.experiment
    before = session.state.weights.clone()
    stretch = session.engine.advance(2)
    assert stretch.failure is None
    assert not bool((session.state.weights == before).all())


def test_a_misspelt_choice_lists_its_family() -> None:
    for family in ("optimizer", "schedule", "activation", "initializer", "normalization", "loss"):
        (sentence,) = refusal_of(f"{DIGITS}{family}: no_such_thing\n")
        assert f"unknown {family}" in sentence
        assert all(name in sentence for name in members(family))
