"""One document over another: `extends` in a file and `--set` on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dnnlab.config.yaml12 import MAX_DEPTH, Document, Path, Place, parse_value
from dnnlab.errors import ConfigError, Problem

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass
class _Laid:
    """What became of the settings of a document when another was laid over it."""

    merged: set[Path] = field(default_factory=set)
    replaced: set[Path] = field(default_factory=set)
    named: list[Path] = field(default_factory=list)
    """Choices that stood there by their name alone, and are mappings now."""


def over(base: Document, upper: Document) -> Document:
    """Lays `upper` over `base`: mappings merge key by key, anything else is replaced.

    A choice is not mixed with another one: `optimizer: {name: nadam}` over `{name: sgd, momentum:
    0.9}` drops the momentum, and so does `optimizer: nadam`. `{lr: 0.1}` over `sgd` keeps sgd.
    """
    laid = _Laid()
    data = _lay(base.data, upper.data, (), laid)
    names = {(*path, "name"): base.values[path] for path in laid.named if path in base.values}
    return Document(
        data=data,
        keys=_places(base.keys, upper.keys, laid),
        values=_places({**base.values, **names}, upper.values, laid),
    )


def _lay(below: dict[str, Any], above: dict[str, Any], path: Path, laid: _Laid) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        here = (*path, key)
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, str) and "name" not in value:
            old = {"name": old}
            laid.named.append(here)
        if isinstance(value, dict) and isinstance(old, dict) and not _other_choice(old, value):
            laid.merged.add(here)
            result[key] = _lay(old, value, here, laid)
        else:
            laid.replaced.add(here)
            result[key] = value
    return result


def _places(below: dict[Path, Place], above: dict[Path, Place], laid: _Laid) -> dict[Path, Place]:
    kept = {path: place for path, place in below.items() if not _within(path, laid.replaced)}
    for path, place in above.items():
        if path in laid.merged or _within(path, laid.replaced):
            kept[path] = place
    return kept


def _within(path: Path, settings: set[Path]) -> bool:
    return any(path[:length] in settings for length in range(1, len(path) + 1))


def _other_choice(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return "name" in old and "name" in new and old["name"] != new["name"]


def overrides(options: Sequence[str]) -> Document:
    """Turns `optimizer.lr=3e-4` and its like into a document, a later option over an earlier.

    Raises ConfigError naming the option if it is not KEY=VALUE or its value is not YAML.
    """
    result = Document()
    for option in options:
        result = over(result, _override(option))
    return result


def _override(option: str) -> Document:
    subject = f"--set {option}"
    dotted, equals, text = option.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(_KEY.fullmatch(key) for key in path):
        message = "is not KEY=VALUE, such as --set optimizer.lr=3e-4"
        raise ConfigError(subject, [Problem(subject, message)])
    if len(path) > MAX_DEPTH:
        raise ConfigError(subject, [Problem("--set", f"is nested deeper than {MAX_DEPTH}")])
    place = Place(f"--set {dotted.strip()}")
    try:
        value = parse_value(text, subject=subject)
    except ConfigError as error:
        quoted = f"a text that YAML would read otherwise needs quotes: --set '{dotted}=\"{text}\"'"
        raise ConfigError(subject, error.problems, remedy=quoted) from None
    document = Document(data={path[0]: _nested(path[1:], value)})
    for length in range(1, len(path) + 1):
        document.keys[path[:length]] = document.values[path[:length]] = place
    return document


def _nested(path: Sequence[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value
