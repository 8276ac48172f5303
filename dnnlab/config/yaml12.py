"""YAML 1.2 text -> plain data, and for every setting the line and column where it stands.

PyYAML follows YAML 1.1: it reads `1e-3` as text, `no` as false and `012` as 10. Here its parser
gives the events and the core schema of YAML 1.2 gives the scalars. Refused, each in one line: a
file over 1 MB or 5,000 keys and values, more than one document, depth over 40, duplicate keys,
aliases, anchors, tags.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from dnnlab.errors import ConfigError, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_VALUES = 5_000
MAX_DIGITS = 40
MAX_CHARACTERS = 1_000
"""Of a number with a point; what is longer is text."""
MAX_PROBLEMS = 100
"""After so many the rest is not read."""

Path = tuple[str | int, ...]
"""Where a setting stands in the data: ("architecture", "hidden", 0, "units")."""

_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Place:
    """Where something stands: a line and a column (both from 1) of a file, or an option."""

    file: str
    """Shown before the line; empty for the user's own config, "base.yaml" for one it extends."""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        position = f"{self.line}:{self.column}" if self.line else ""
        return " ".join(part for part in (self.file, position) if part)

    def problem(self, message: str) -> Problem:
        """Returns a problem at this place; those in the user's own file sort first."""
        return Problem(str(self), message, (int(bool(self.file)), self.line, self.column))


@dataclass
class Document:
    """Data as a config file or an option gives them, and the places of keys and values."""

    data: dict[str, Any] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def place_of(self, path: Path, *, part: Literal["key", "value"] = "value") -> Place:
        """Returns where a setting stands; what is not written stands where its parent does."""
        places = self.keys if part == "key" else self.values
        while path and path not in places:
            path, places = path[:-1], self.keys
        return places.get(path, Place(""))


def parse(content: bytes, *, subject: str, file: str = "") -> Document:
    """Parses one YAML document whose top is a mapping.

    `subject` names the text in the error's first line, `file` in the places. Raises ConfigError
    with every problem that can be found without knowing what the settings mean.
    """
    reader = _Reader(file)
    data = reader.read(_decode(content, subject))
    if not reader.problems and not isinstance(data, dict):
        what = "the file is empty" if data is None else f"a {kind_of(data)} stands at the top"
        message = f"{what}; a config is a mapping such as `data: digits`"
        reader.problems.append(Place(file, 1, 1).problem(message))
    if reader.problems:
        raise ConfigError(subject, reader.problems)
    return reader.document


def parse_value(text: str, *, subject: str) -> Any:
    """Parses the value of an option, such as `3e-4` or `[300, 100]` (JSON is YAML too)."""
    reader = _Reader(subject)
    try:  # an option has as bytes what is no UTF-8
        value = reader.read(_decode(text.encode("utf-8", "surrogateescape"), subject))
    except UnicodeEncodeError:
        raise ConfigError(subject, [Problem(subject, "not UTF-8: half a character")]) from None
    except ConfigError as error:
        reader.problems.extend(error.problems)
    if reader.problems:
        raise ConfigError(subject, [Problem(subject, p.message) for p in reader.problems])
    return value


def scalar(text: str) -> str | int | float | bool | None:
    """Returns what an unquoted text means in the core schema of YAML 1.2 (section 10.3.2).

    >>> scalar("1e-3"), scalar("no"), scalar("012"), scalar("true"), scalar("~")
    (0.001, 'no', 12, True, None)
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text[0] in "tT"
    if _INT.fullmatch(text):
        return int(text[:MAX_DIGITS])
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text[:MAX_DIGITS], 0)
    if len(text) <= MAX_CHARACTERS and _FLOAT.fullmatch(text):
        return float(text)
    if match := _INFINITE.fullmatch(text):
        return float(f"{match[1]}inf")
    return float("nan") if _NAN.fullmatch(text) else text


def quoted(text: str) -> str:
    """Returns a text in quotes, shortened.

    >>> quoted("lr"), quoted("x" * 100)[-5:]
    ("'lr'", "x...'")
    """
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def kind_of(value: Any) -> str:
    """Returns what people call a value of this type."""
    kinds = {bool: "boolean", dict: "mapping", list: "list", str: "text", type(None): "null"}
    return kinds.get(type(value), "number")


def _decode(content: bytes, subject: str) -> str:
    if len(content) > MAX_BYTES:
        raise ConfigError(subject, message=f"{subject} is over 1 MB; a config is a page of text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Place("", line, 1).problem(f"not UTF-8: byte 0x{content[error.start]:02x}")
        raise ConfigError(subject, [problem]) from None


class _Reader:
    """Walks the parser's events once, building data and collecting problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.document = Document()
        self.problems: list[Problem] = []
        self.count = 0
        """Keys and values met so far."""

    def read(self, text: str) -> Any:
        try:
            self.events = yaml.parse(text, Loader=_PARSER)
            self._next()  # the stream starts
            if isinstance(self._next(), yaml.StreamEndEvent):
                return None
            value = self._node(self._next(), ())
            self._next()  # the document ends
            extra = self._next()
            if not isinstance(extra, yaml.StreamEndEvent):
                self._problem(extra, "a second document begins; a config is one document")
        except _Stop:
            return None
        except yaml.YAMLError as error:
            self._syntax(error, text)
            return None
        if isinstance(value, dict):
            self.document.data = value
        return value

    def _next(self) -> Any:
        return next(self.events)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _problem(self, event: Any, message: str) -> None:
        self.problems.append(self._place(event).problem(message))
        if len(self.problems) == MAX_PROBLEMS:
            enough = "the problems are so many that the rest was not read"
            self.problems.append(self._place(event).problem(enough))
            raise _Stop

    def _node(self, event: Any, path: Path) -> Any:
        self.count += 1
        self.document.values[path] = self._place(event)
        if isinstance(event, yaml.AliasEvent):
            self._problem(event, f"alias *{event.anchor}: aliases are not used; write the value")
            return None
        if event.anchor is not None:
            self._problem(event, f"anchor &{event.anchor}: anchors are not used")
        if event.tag is not None:
            self._problem(event, f"tag {event.tag}: tags are not used; names are plain text")
        if len(path) > MAX_DEPTH or self.count > MAX_VALUES:
            deep = len(path) > MAX_DEPTH
            many = f"over {MAX_VALUES:,} keys and values; a config is a page of text"
            limit = f"nested deeper than {MAX_DEPTH}" if deep else many
            self._problem(event, limit)
            raise _Stop
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            place = self._place(event)
            key = self._node(event, (*path, "?"))
            del self.document.values[(*path, "?")]
            if not isinstance(key, str):
                self._problem(event, f"a {kind_of(key)} stands where a key is expected")
                key = str(key)
            elif key in mapping:
                first = self.document.keys[(*path, key)].line
                self._problem(event, f"key {quoted(key)} stands twice; first in line {first}")
            self.document.keys.setdefault((*path, key), place)
            mapping[key] = self._node(self._next(), (*path, key))
        return mapping

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:
            return event.value  # quoted
        value = scalar(event.value)
        if isinstance(value, int) and len(event.value) > MAX_DIGITS:
            self._problem(event, f"{event.value[:12]}... has {len(event.value)} digits")
        return value

    def _syntax(self, error: yaml.YAMLError, text: str) -> None:
        mark = getattr(error, "problem_mark", None)
        if mark is None:  # the parser's reader: a character that YAML does not allow
            position = getattr(error, "position", 0)
            line = text.encode().count(b"\n", 0, position) + 1
            message = "a control character; a config is plain text"
            self.problems.append(Place(self.file, line, 1).problem(message))
            return
        lines = text.splitlines() or [""]
        shown = lines[mark.line] if mark.line < len(lines) else ""
        if "\t" in shown[: len(shown) - len(shown.lstrip())]:
            message = "a tab; YAML indents with spaces"
        else:
            context = getattr(error, "context", None)
            problem = getattr(error, "problem", None) or "not YAML"
            message = f"not YAML: {problem}" + (f" ({context})" if context else "")
        self.problems.append(Place(self.file, mark.line + 1, mark.column + 1).problem(message))


class _Stop(Exception):
    """There is no point in reading on."""
