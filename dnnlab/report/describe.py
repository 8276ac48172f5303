"""What one can write, said from the Specs themselves: the menu, a family, a choice."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from dnnlab.choices import FAMILIES, members
from dnnlab.errors import ConfigError
from dnnlab.experiment import Experiment
from dnnlab.report.text import counted
from dnnlab.spec import Duration, Spec, choice_name, families_in, family_of, specs_in


def groups() -> dict[str, type[Spec]]:
    """Returns the groups of settings that are no choice, by their key."""
    found: dict[str, type[Spec]] = {}
    for name, field in Experiment.model_fields.items():
        if not any(families_in(field.annotation)):
            (found[name],) = specs_in(field.annotation)
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


@dataclass(frozen=True)
class Setting:
    """One key of a Spec, as people read it."""

    name: str
    kind: str
    """Type and bounds, such as "number > 0"."""
    default: str | None
    """None where the setting is required."""
    meaning: str

    def lines(self) -> Iterator[str]:
        """Yields the key with its kind and default, and below it what it means."""
        default = "required" if self.default is None else f"default {self.default}"
        yield f"  {self.name}: {self.kind}  ({default})"
        yield f"      {self.meaning}"


def details(spec: type[Spec]) -> Iterator[str]:
    """Yields what a Spec computes, its source, and its settings with bounds and meaning."""
    yield inspect.cleandoc(spec.__doc__ or "")
    own = settings(spec)
    if own:
        yield ""
        yield "settings:"
    for setting in own:
        yield from setting.lines()
    for name, inner in _inner(spec):
        yield ""
        yield f"{name}: {headline(inner)}"
        for setting in settings(inner):
            yield from setting.lines()


def settings(spec: type[Spec]) -> list[Setting]:
    """Returns the settings of a Spec, the word that names a choice left out.

    Its own come first, then those that others have too.
    """
    meanings = spec.field_meanings()
    ordered = sorted(
        spec.model_fields.items(), key=lambda item: item[0] not in spec.__annotations__
    )
    return [
        Setting(
            name=name,
            kind=_kind(field),
            default=None if field.is_required() else _default(field.default),
            meaning=meanings.get(name, ""),
        )
        for name, field in ordered
        if not (name == "name" and choice_name(spec))
    ]


def menu_json() -> dict[str, Any]:
    """Returns the menu as `describe --json` prints it."""
    return {
        "schema": 1,
        "families": {family: _headlines(members(family)) for family in FAMILIES},
        "settings": _headlines(groups()),
    }


def family_json(family: str) -> dict[str, Any]:
    """Returns a family as `describe FAMILY --json` prints it."""
    return {"schema": 1, "family": family, "choices": _headlines(members(family))}


def details_json(spec: type[Spec]) -> dict[str, Any]:
    """Returns one choice or group as `describe FAMILY CHOICE --json` prints it."""
    return {
        "schema": 1,
        "name": choice_name(spec),
        "text": inspect.cleandoc(spec.__doc__ or ""),
        "settings": [asdict(setting) for setting in settings(spec)],
        "inside": {
            name: [asdict(setting) for setting in settings(inner)] for name, inner in _inner(spec)
        },
    }


def _headlines(specs: Mapping[str, type[Spec]]) -> dict[str, str]:
    return {name: headline(spec) for name, spec in specs.items()}


def reference() -> Iterator[str]:
    """Yields the reference page in Markdown: every choice and every setting."""
    yield "# Reference: everything a config can say"
    yield ""
    yield "Written by `make docs` from the code itself; `dnnlab describe` says the same."
    yield ""
    yield "A config has these keys; all but `data` and `architecture` may be left out."
    yield ""
    yield "| key | default | meaning |"
    yield "|---|---|---|"
    for key in settings(Experiment):
        plain = key.default is None or " " in key.default
        default = (key.default or "required") if plain else f"`{key.default}`"
        yield f"| `{key.name}` | {default} | {key.meaning} |"
    for family in FAMILIES:
        for name, choice in members(family).items():
            yield from _section(f"{family}: {name}", choice)
    for name, spec in groups().items():
        yield from _section(name, spec)


def _section(title: str, spec: type[Spec]) -> Iterator[str]:
    yield from ("", f"## {title}", "", "```text", *details(spec), "```")


def _inner(spec: type[Spec]) -> Iterator[tuple[str, type[Spec]]]:
    """Yields the groups of settings inside a Spec, choices and durations left out; of a group also
    those inside them.
    """
    for name, field in spec.model_fields.items():
        for inner in () if any(families_in(field.annotation)) else specs_in(field.annotation):
            if choice_name(inner) is None and inner.__name__ != "Duration":
                yield name, inner
                if choice_name(spec) is None:
                    yield from ((f"{name}.{key}", deeper) for key, deeper in _inner(inner))


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_one_of_several, value))}]"
    if isinstance(value, Duration):
        return counted(value.epochs, "epoch") if value.epochs else f"{value.updates} updates"
    if isinstance(value, Spec):
        as_it_comes = value.model_fields_set <= {"name"}
        if as_it_comes:
            return choice_name(type(value)) or "as listed below"
        given = value.model_dump(mode="json", exclude_unset=True)
        return ", ".join(f"{key}: {_yaml(each)}" for key, each in given.items())
    return _yaml(value)


def _one_of_several(value: Any) -> str:
    is_group = isinstance(value, Spec) and not isinstance(value, Duration)
    return _yaml(value.model_dump(exclude_unset=True)) if is_group else _default(value)


def _yaml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
    return value if isinstance(value, str) else json.dumps(value)


def _kind(field: FieldInfo) -> str:
    return _words(field.annotation) + _bounds(field.metadata)


def _words(annotation: Any) -> str:
    """Names a type as people would: number, whole number, text, one of ..."""
    origin, args = get_origin(annotation), get_args(annotation)
    plain = {float: "number", int: "whole number", bool: "true or false", str: "text"}
    if annotation in plain:
        return plain[annotation]
    if annotation is type(None):
        return "null"
    if family := family_of(annotation):
        return f"a choice of {family.family}"
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        if annotation.__name__ == "Duration":
            return "epochs, or {updates: n}"
        return choice_name(annotation) or "mapping"
    if origin is dict:
        return f"mapping of {_words(args[0])} to {_words(args[1])}"
    if origin is tuple:
        return f"list of {_words(args[0])}"
    if hasattr(annotation, "__metadata__"):
        return _words(args[0]) + _bounds(annotation.__metadata__)
    if origin is not None and str(origin).endswith("Literal"):
        return " | ".join(str(word) for word in args)
    return " | ".join(dict.fromkeys(_words(arg) for arg in args))


SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _bounds(metadata: Iterable[Any]) -> str:
    """Names the bounds among a type's metadata, such as " >= 0 and < 1"."""
    found = []
    for each in metadata:
        parts = getattr(each, "metadata", [each])  # pydantic's Field(...) holds several
        found += [
            f"{sign} {limit:g}"
            for part in parts
            for name, sign in SIGNS.items()
            if (limit := getattr(part, name, None)) is not None
        ]
    return " " + " and ".join(found) if found else ""


def find(words: list[str]) -> type[Spec] | str:
    """Returns the Spec that `describe` words name, or the family if they name only that.

    Raises ConfigError with the nearest word if they name nothing.
    """
    from dnnlab.config.wording import nearest

    subject = "describe " + " ".join(words)
    word, *rest = words
    if len(rest) > (0 if word in groups() else 1):
        raise ConfigError(subject, message=f"'{words[-1]}' is one word too many")
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
