"""What one can write, said from the Specs themselves: the menu, a family, a choice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from dnnlab.choices import FAMILIES, members
from dnnlab.errors import ConfigError
from dnnlab.experiment import Experiment
from dnnlab.spec import Spec, choice_name, specs_in


def groups() -> dict[str, type[Spec]]:
    """Returns the groups of settings that are no choice, by their key."""
    found = {}
    for name, field in Experiment.model_fields.items():
        for spec in specs_in(field.annotation):
            if choice_name(spec) is None:
                found[name] = spec
    return found


def menu() -> Iterator[str]:
    """Yields every family with its choices, one line each, and the groups of settings."""
    for family in FAMILIES:
        yield f"{family}:"
        yield from family_lines(family)
        yield ""
    yield "settings:"
    width = max(map(len, groups()))
    for name, spec in groups().items():
        yield f"  {name:<{width}}  {headline(spec)}"


def family_lines(family: str) -> Iterator[str]:
    """Yields one line per choice of a family."""
    choices = members(family)
    width = max(map(len, choices))
    for name, choice in choices.items():
        yield f"  {name:<{width}}  {headline(choice)}"


def headline(spec: type[Spec]) -> str:
    """Returns the first sentence of a Spec's docstring."""
    return " ".join((spec.__doc__ or "").strip().split("\n\n")[0].split())


def details(spec: type[Spec]) -> Iterator[str]:
    """Yields what a Spec computes, its source, and its settings with bounds and meaning."""
    import inspect

    yield inspect.cleandoc(spec.__doc__ or "")
    rows = list(settings(spec))
    if rows:
        yield ""
        yield "settings:"
    names = [f"{name}: {kind}" for name, kind, _, _ in rows]
    for (_, _, default, meaning), name in zip(rows, names, strict=True):
        yield f"  {name}{f'  (default {default})' if default else '  (required)'}"
        yield f"      {meaning}"
    for name, inner in _inner(spec):
        yield ""
        yield f"{name}: {headline(inner)}"
        for key, kind, default, meaning in settings(inner):
            yield f"  {key}: {kind}{f'  (default {default})' if default else '  (required)'}"
            yield f"      {meaning}"


def settings(spec: type[Spec]) -> Iterator[tuple[str, str, str, str]]:
    """Yields (key, kind with bounds, default, meaning) of each setting; no default if required."""
    meanings = spec.field_meanings()
    for name, field in spec.model_fields.items():
        if name == "name" and choice_name(spec):
            continue
        default = "" if field.is_required() else _default(field)
        yield name, _kind(field), default, meanings.get(name, "")


def _inner(spec: type[Spec]) -> Iterator[tuple[str, type[Spec]]]:
    """Yields the groups of settings inside a Spec, choices and durations left out."""
    for name, field in spec.model_fields.items():
        for inner in specs_in(field.annotation):
            if choice_name(inner) is None and inner.__name__ != "Duration":
                yield f"{name}", inner


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if isinstance(value, Spec):
        plain = value.model_dump(mode="json", exclude_none=True)
        if set(plain) == {"name"}:
            return str(plain["name"])
        return ", ".join(f"{key}: {_yaml(each)}" for key, each in plain.items()) or "none"
    return _yaml(list(value) if isinstance(value, tuple) else value)


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _kind(field: FieldInfo) -> str:
    words = _words(field.annotation)
    for bound in field.metadata:
        words += _bounds(bound)
    return words


def _words(annotation: Any) -> str:
    """Names a type as people would: number, whole number, text, one of ..."""
    origin, args = get_origin(annotation), get_args(annotation)
    plain = {float: "number", int: "whole number", bool: "true or false", str: "text"}
    if annotation in plain:
        return plain[annotation]
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        if annotation.__name__ == "Duration":
            return "epochs, or {updates: n}"
        return choice_name(annotation) or "mapping"
    if origin is tuple:
        return f"list of {_words(args[0])}"
    if hasattr(annotation, "__metadata__"):
        bounds = "".join(_bounds(bound) for bound in annotation.__metadata__)
        return f"{_words(args[0])}{bounds}"
    if origin is not None and str(origin).endswith("Literal"):
        return " | ".join(str(word) for word in args)
    return " | ".join(dict.fromkeys(_words(arg) for arg in args))


def _bounds(metadata: Any) -> str:
    if hasattr(metadata, "metadata"):  # pydantic's Field(...) inside an Annotated
        return "".join(_bounds(each) for each in metadata.metadata)
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    found = ((sign, getattr(metadata, name, None)) for name, sign in signs.items())
    return "".join(f" {sign} {limit:g}" for sign, limit in found if limit is not None)


def find(words: list[str]) -> type[Spec] | str:
    """Returns the Spec that `describe` words name, or the family if they name only that.

    Raises ConfigError with the nearest word if they name nothing.
    """
    from dnnlab.config.wording import nearest

    subject = "describe " + " ".join(words)
    word, *rest = words
    known = [*FAMILIES, *groups()]
    if word not in known:
        found = [family for family in FAMILIES if word in members(family)]
        if len(found) == 1 and not rest:
            return members(found[0])[word]
        near = nearest(word, [*known, *(name for f in FAMILIES for name in members(f))])
        hint = f"; did you mean '{near}'?" if near else f"; there are {', '.join(known)}"
        raise ConfigError(subject, message=f"nothing is called '{word}'{hint}")
    if word in groups():
        return groups()[word]
    if not rest:
        return word
    if rest[0] not in members(word):
        near = nearest(rest[0], members(word))
        listed = ", ".join(members(word))
        hint = f"; did you mean '{near}'?" if near else f"; there are {listed}"
        raise ConfigError(subject, message=f"no {word} is called '{rest[0]}'{hint}")
    return members(word)[rest[0]]
