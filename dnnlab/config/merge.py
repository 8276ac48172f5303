"""One document over another: `extends` in a file and `--set` on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dnnlab.config.yaml12 import Document, Path, Place, parse_value
from dnnlab.errors import ConfigError, Problem

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def over(base: Document, upper: Document) -> Document:
    """Lays `upper` over `base`: mappings merge key by key, anything else is replaced.

    A choice is not mixed with another one: `optimizer: {name: nadam}` over `{name: sgd, momentum:
    0.9}` drops the momentum, and so does `optimizer: nadam`. `{lr: 0.1}` over `sgd` keeps sgd.
    """
    result = Document(dict(base.data), dict(base.keys), dict(base.values))
    _lay(result.data, upper.data, (), result, upper)
    return result


def _lay(
    below: dict[str, Any], above: dict[str, Any], path: Path, result: Document, upper: Document
) -> None:
    for key, value in above.items():
        here = (*path, key)
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, str) and "name" not in value:
            old = {"name": old}
            if here in result.values:  # what a --set wrote inside has no place of its own
                result.values[(*here, "name")] = result.values[here]
        if isinstance(value, dict) and isinstance(old, dict) and not _other_choice(old, value):
            below[key] = dict(old)
            _take_places(here, result, upper, deep=False)
            _lay(below[key], value, here, result, upper)
        else:
            below[key] = value
            _take_places(here, result, upper, deep=True)


def _other_choice(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return "name" in old and "name" in new and old["name"] != new["name"]


def _take_places(path: Path, result: Document, upper: Document, *, deep: bool) -> None:
    for into, source in ((result.keys, upper.keys), (result.values, upper.values)):
        if deep:
            for known in [known for known in into if known[: len(path)] == path]:
                del into[known]
        for known, place in source.items():
            if known == path or (deep and known[: len(path)] == path):
                into[known] = place


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
