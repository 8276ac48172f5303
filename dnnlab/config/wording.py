"""How a mistake in a config is worded: where, what was expected, what came, what to write."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dnnlab.choices import FAMILIES
from dnnlab.config.yaml12 import Document, Path, Place, kind_of, quoted, scalar
from dnnlab.errors import Problem
from dnnlab.experiment import Experiment
from dnnlab.spec import Spec, choice_name, family_of, specs_in

FEW_NAMES = 8
"""Members of a family that are listed beside the one that was probably meant."""
MOST_WORDED = 20
"""Problems for which what was probably meant is looked for: as many as a screen shows."""
LONGEST_WORD = 60
"""Characters of what could be a word for something. To compare more takes long."""


def problems(error: ValidationError, document: Document) -> Iterator[Problem]:
    """Yields one problem for each thing that pydantic refused, those first that come first."""
    refused = []
    for details in error.errors(include_url=False):
        if _only_follows(details):
            continue
        path = _written(details["loc"], document.data)
        place = document.place_of(path, part="key" if _is_stray(details) else "value")
        refused.append((place.problem(""), path, details))
    refused.sort(key=lambda each: each[0].order)
    for _, path, details in refused[:MOST_WORDED]:
        place, message = _sentence(details, path, document)
        yield place.problem(message)
    for where, path, details in refused[MOST_WORDED:]:
        yield replace(where, message=f"{dotted(path)}: {details['msg']}")


def _only_follows(details: ErrorDetails) -> bool:
    """Whether a list is called too short only because of entries that are refused by themselves."""
    if details["type"] != "too_short" or not isinstance(details["input"], list | tuple):
        return False
    return len(details["input"]) >= int(details["ctx"]["min_length"])


def _written(location: Path, data: Any) -> Path:
    """Cuts a location at what the user wrote: a shorthand has no keys inside."""
    path: Path = ()
    for step in location:
        if not isinstance(data, dict | list):
            break
        path = (*path, step)
        try:
            data = data[step]  # type: ignore[index]
        except (KeyError, IndexError):
            data = None
    return path


def _sentence(details: ErrorDetails, path: Path, document: Document) -> tuple[Place, str]:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    name = dotted(path)
    if _is_stray(details):
        return document.place_of(path, part="key"), _unknown_key(path, document.data)
    if kind == "missing":
        return document.place_of(path[:-1], part="key"), f"{name} is missing{_meaning(path)}"
    if kind == "too_short":
        return document.place_of(path), f"{name}: {context['min_length']} or more are expected"
    if kind == "choice_missing":
        text = f"{name} needs a name: {_one_of(context['names'])}"
        return document.place_of(path, part="key"), text
    if kind == "choice_unknown":
        given = value["name"] if isinstance(value, dict) else value
        inner = (*path, "name") if isinstance(value, dict) else path
        return document.place_of(inner), _unknown_choice(context, given)
    if kind == "choice_type":
        expected: str | None = _one_of(context["names"])
    elif kind == "or_auto":
        kind = context["kind"]
        expected = f"auto or {_expected(kind, context['limits'])}"
    else:
        expected = _expected(kind, context)
    if expected is None:
        return document.place_of(path), f"{name}: {context.get('error', details['msg'])}"
    return document.place_of(path), f"{name}: {shown(value)} is not {expected}{_hint(kind, value)}"


def _is_stray(details: ErrorDetails) -> bool:
    return details["type"] == "extra_forbidden"


def _expected(kind: str, context: dict[str, Any]) -> str | None:
    """Says what should have come; None where pydantic's error brings its own sentence."""
    limits = {
        "greater_than": "greater than {gt:g}",
        "greater_than_equal": "at least {ge:g}",
        "less_than": "less than {lt:g}",
        "less_than_equal": "at most {le:g}",
        "literal_error": "{expected}",
        "string_pattern_mismatch": "of the form {pattern}",
        "string_too_short": "text of at least {min_length} characters",
        "string_too_long": "text of at most {max_length} characters",
    }
    types = {
        "finite_number": "a finite number",
        "float_type": "a number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "bool_type": "true or false",
        "string_type": "text",
        "tuple_type": "a list",
        "model_type": "a mapping of settings",
        "model_attributes_type": "a mapping of settings",
    }
    return limits[kind].format(**context) if kind in limits else types.get(kind)


def _hint(kind: str, value: Any) -> str:
    if kind not in {"float_type", "int_type", "bool_type"} or not isinstance(value, str):
        return ""
    plain = value if len(value) <= LONGEST_WORD else "x"
    return "" if isinstance(scalar(plain), str) else f"; take off the quotes: {value}"


def _unknown_choice(context: dict[str, Any], given: Any) -> str:
    names = context["names"]
    near = nearest(str(given), names)
    sentence = f"unknown {context['family']} {shown(given)}"
    if near:
        others = f" ({_one_of(names)})" if len(names) <= FEW_NAMES else ""
        return f"{sentence}; did you mean {near!r}?{others}"
    return f"{sentence} ({_one_of(names)})"


def _unknown_key(path: Path, data: Any) -> str:
    key = str(path[-1])
    owner = spec_at(path[:-1], data)
    known = list(owner.model_fields) if owner else []
    where = f" in {dotted(path[:-1])}" if path[:-1] else ""
    sentence = f"unknown key {quoted(key)}{where}"
    if near := nearest(key, known):
        return f"{sentence}; did you mean '{near}'?"
    if elsewhere := _elsewhere(key):
        return f"{sentence}; did you mean {elsewhere}?"
    if key == "<<":
        return f"{sentence}; use `extends: base.yaml` for a common base"
    return f"{sentence}; known here: {', '.join(known)}"


def _elsewhere(key: str) -> str | None:
    """Returns the dotted name of a setting of this name that stands in another group."""
    for name, field in Experiment.model_fields.items():
        family = family_of(field.annotation)
        if family is not None and not family.may_have(key):
            continue
        owners = (
            []
            if key == "name"
            else [s for s in specs_in(field.annotation) if key in s.model_fields]
        )
        if not owners:
            continue
        if family is None or len(owners) == len(family.members):
            return f"{name}.{key}"
        return f"{name}.{key} of {', '.join(choice_name(owner) or '' for owner in owners)}"
    return None


def spec_at(path: Path, data: Any) -> type[Spec] | None:
    """Returns the Spec whose keys stand below `path`, as far as the data name the choices."""
    specs: list[type[Spec]] = [Experiment]
    for step in path:
        data = _inside(data, step)
        named = data.get("name") if isinstance(data, dict) else data
        if isinstance(step, str):
            annotations = [s.model_fields[step].annotation for s in specs if step in s.model_fields]
            known = named if isinstance(named, str) else None
            specs = [spec for each in annotations for spec in specs_in(each, known)]
        chosen = [spec for spec in specs if choice_name(spec) in (None, named)]
        specs = chosen or specs
    return specs[0] if specs else None


def _inside(data: Any, step: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(step)
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return data[step]
    return None


def _meaning(path: Path) -> str:
    if len(path) == 1 and path[0] in FAMILIES:
        return f"; give {_one_of(FAMILIES[str(path[0])].members)}"
    return ""


def _one_of(names: Iterable[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"one of {', '.join(listed)}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Returns the known word that is most like this one, if any is."""
    if len(word) > LONGEST_WORD:
        return None
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def shown(value: Any) -> str:
    """Returns a value as one would write it in YAML, shortened."""
    if isinstance(value, dict | list):
        return f"a {kind_of(value)}"
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: ".inf", -math.inf: "-.inf"}.get(value, ".nan")
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def dotted(path: Path) -> str:
    """Returns `architecture.hidden[1].units` for ("architecture", "hidden", 1, "units").

    >>> dotted(("architecture", "hidden", 1, "units"))
    'architecture.hidden[1].units'
    """
    steps = (
        f"[{step}]" if isinstance(step, int) else f".{step if _is_plain(step) else quoted(step)}"
        for step in path
    )
    return "".join(steps).lstrip(".")


def _is_plain(step: str) -> bool:
    return step.isprintable() and len(step) <= LONGEST_WORD
