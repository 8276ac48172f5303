"""Every number of every choice, at both ends of what it may be, trains or is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest

from dnnlab.choices import FAMILIES, members
from dnnlab.config.read import read
from dnnlab.errors import DnnlabError
from dnnlab.experiment import Experiment
from dnnlab.methods.session import assemble
from dnnlab.spec import LARGEST, SMALLEST, specs_in
from dnnlab.training.loop import NonFinite, fit

TEXT = """
data: {name: digits, validation: {first: 100}, test: {fraction: 0.8}}
architecture: {name: mlp, hidden: [4]}
training: {epochs: {updates: 3}, batch_size: 16, threads: 1, device: cpu}
"""
GROUPS = ("regularization", "gradient_clipping", "training")
KEYS = {"metric": "metrics"}
"""Where members stand that have another key than the word for their family."""


def ends(annotation: Any, bounds: Sequence[Any]) -> Iterator[float]:
    """Yields the smallest and the largest value of a number, if the annotation allows one."""
    if annotation not in (int, float):
        first, *rest = get_args(annotation) or (None,)
        if get_origin(annotation) is Annotated:
            yield from ends(first, [*bounds, *rest])
        elif get_origin(annotation) in (Union, UnionType):
            for part in get_args(annotation):
                yield from ends(part, bounds)
        return
    edges: dict[str, Any] = {
        name: edge
        for bound in bounds
        for each in getattr(bound, "metadata", [bound])
        for name in ("ge", "gt", "le", "lt")
        if (edge := getattr(each, name, None)) is not None
    }
    step = 1 if annotation is int else 1e-16
    above = edges.get("gt", -LARGEST)
    low = edges.get("ge", above + step if above or step == 1 else SMALLEST)
    high = edges.get("le", edges.get("lt", LARGEST) - step)
    yield from (annotation(low), annotation(high))


def options() -> Iterator[str]:
    for family in (name for name in FAMILIES if name not in ("data", "architecture")):
        for name, member in members(family).items():
            for key, field in member.model_fields.items():
                for end in ends(field.annotation, field.metadata):
                    choice = {"name": name, key: end}
                    value = [choice] if family in KEYS else choice
                    yield f"{KEYS.get(family, family)}={json.dumps(value)}"
    for group in GROUPS:
        for spec in specs_in(Experiment.model_fields[group].annotation):
            for key, field in spec.model_fields.items():
                for end in ends(field.annotation, field.metadata):
                    if key != "threads":
                        yield f"{group}.{key}={json.dumps(end)}"


@pytest.mark.parametrize("option", list(options()))
def test_it_trains_or_is_refused(option: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(TEXT)
    try:
        session = assemble(read(path, [option]))
        steps = fit(session.experiment, session.plan, session.state, session.data, session.engine)
        assert list(islice(steps, 3))
    except (DnnlabError, NonFinite):
        pass


def test_the_walk_finds_the_numbers() -> None:
    found = list(options())
    assert len(found) > 150
    assert 'optimizer={"name": "sgd", "lr": 1e-30}' in found
    assert 'optimizer={"name": "sgd", "lr": 1e+30}' in found
    assert 'optimizer={"name": "adam", "beta1": 0.9999999999999999}' in found
    assert "gradient_clipping.norm=1e+30" in found
    assert "training.seed=9223372036854775807" in found
