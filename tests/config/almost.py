"""Configs that are almost right: values drawn from the types of the settings themselves, sometimes
something else, and text that is almost YAML.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st

from dnnlab.experiment import Experiment
from dnnlab.spec import Choice, Shorthand, Spec, family_of

Draw = st.DrawFn
MOST_DEPTH = 5
NUMBERS: tuple[int | float, ...] = (
    *(0, 1, 2, 3, 5, 8, 10, 64, 100, 1000, -1, 2**31, 2**63, 2**64, 10**12, 10**30),
    *(0.1, 0.5, 0.9, 1.5, 1e-3, 1e-8, 5e-324, 1e38, 1e300, -0.0, -0.5),
    *(float("nan"), float("inf"), -float("inf")),
)
WORDS = ("auto", "name", "loss", "accuracy", "cpu", "cuda:1", "0", "1", "digits", "relu", "x", "")
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.sampled_from(WORDS) | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | ANY_TEXT, inner, max_size=3)
    ),
    max_leaves=6,
)


def rarely(draw: Draw) -> bool:
    """Returns True once in thirty times."""
    return draw(st.integers(0, 29)) == 29


@st.composite
def values(draw: Draw, annotation: Any, bounds: tuple[Any, ...] = (), depth: int = 0) -> Any:
    """Draws what a setting of this type may be, or nearly."""
    if rarely(draw) or depth > MOST_DEPTH:
        return draw(ANYTHING)
    kind = get_origin(annotation)
    if (family := family_of(annotation)) is not None:
        return draw(choices(family, depth))
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return draw(groups(annotation, depth))
    if kind is Annotated:
        inner, *more = get_args(annotation)
        return draw(values(inner, (*bounds, *more), depth))
    if kind in (Union, types.UnionType):
        return draw(values(draw(st.sampled_from(get_args(annotation))), bounds, depth))
    if kind is Literal:
        return draw(st.sampled_from(get_args(annotation)))
    if kind is tuple:
        return [draw(values(get_args(annotation)[0], (), depth + 1)) for _ in range(few(draw))]
    if annotation in (int, float):
        return draw(numbers(annotation, bounds))
    if annotation is bool:
        return draw(st.booleans())
    return None if annotation is type(None) else draw(st.sampled_from(WORDS))


def few(draw: Draw) -> int:
    """Returns a small count."""
    return draw(st.sampled_from((0, 1, 1, 2, 3)))


@st.composite
def numbers(draw: Draw, kind: type[int] | type[float], bounds: tuple[Any, ...]) -> int | float:
    """Draws a number, most often one that the setting may have, and often one at its bounds."""
    limits = [each for bound in bounds for each in (bound, *getattr(bound, "metadata", ()))]
    edges = [0.5, 1, 2, 3, 4]
    for limit in limits:
        if isinstance(limit, Ge | Gt | Le | Lt):
            edge = getattr(limit, type(limit).__name__.lower())
            edges += [edge, edge + 1, edge - 1, (edge + 1) / 2]
    candidates: list[Any] = [*(kind(edge) for edge in edges), *NUMBERS]
    fitting = [each for each in candidates if isinstance(each, kind) and _fits(each, limits)]
    number: int | float = draw(
        st.sampled_from(candidates if rarely(draw) or not fitting else fitting)
    )
    return number


def _fits(number: float, limits: list[Any]) -> bool:
    tests: dict[type, Callable[[float, Any], bool]] = {
        Ge: lambda n, limit: n >= limit.ge,
        Gt: lambda n, limit: n > limit.gt,
        Le: lambda n, limit: n <= limit.le,
        Lt: lambda n, limit: n < limit.lt,
    }
    return all(tests[type(limit)](number, limit) for limit in limits if type(limit) in tests)


@st.composite
def choices(draw: Draw, family: type[Choice], depth: int) -> Any:
    """Draws a member of a family: its name, or a mapping."""
    name = draw(st.sampled_from(sorted(family.members)))
    if draw(st.booleans()) and depth:
        return name
    return {"name": name, **draw(groups(family.member(name), depth))}


@st.composite
def groups(draw: Draw, spec: type[Spec], depth: int) -> Any:
    """Draws some settings of a group, or the value that stands for one."""
    fields = {name: field for name, field in spec.model_fields.items() if name != "name"}
    if not fields:
        return {}
    required = {name for name, field in fields.items() if field.is_required()}
    named = required | set(draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)))
    found = {}
    for name in sorted(named):
        field = fields[name]
        short = [each.key for each in field.metadata if isinstance(each, Shorthand)]
        found[name] = draw(values(field.annotation, tuple(field.metadata), depth + 1))
        if short and isinstance(found[name], dict) and draw(st.booleans()):
            found[name] = found[name].get(short[0])
    if rarely(draw):
        found[draw(st.sampled_from(WORDS))] = draw(ANYTHING)
    return found


@st.composite
def experiments(draw: Draw) -> Any:
    """Draws a whole config as data."""
    return draw(groups(Experiment, 0))


@st.composite
def options(draw: Draw) -> str:
    """Draws one `--set`: a setting, or one inside of it, and what it may be, or nearly."""
    key = draw(st.sampled_from(sorted(Experiment.model_fields)))
    field = Experiment.model_fields[key]
    value = draw(values(field.annotation, tuple(field.metadata)))
    path = [key]
    while isinstance(value, dict) and value and draw(st.booleans()):
        step = draw(st.sampled_from(sorted(value)))
        path, value = [*path, step], value[step]
    return f"{'.'.join(path)}={as_text(value)}"


def as_text(value: Any) -> str:
    """Writes a value as YAML 1.2, of which JSON is a part but for these three words."""
    text = json.dumps(value, ensure_ascii=False)
    for json_word, word in (("NaN", ".nan"), ("-Infinity", "-.inf"), ("Infinity", ".inf")):
        text = text.replace(json_word, word)
    return text


PIECES = (
    *(
        "\t",
        "\n",
        "\r",
        "\r\n",
        " ",
        "  ",
        "\n  ",
        "\n- ",
        "\n---\n",
        "\n...\n",
        "%YAML 1.1\n---\n",
    ),
    *("&a ", "*a", "!!python/object/apply:os.system ", "!x ", "! ", "<<: *a", "? ", ": ", ":", "-"),
    *("{", "}", "[", "]", ",", "'", '"', "#", "|", ">", "|2-\n", "@", "`", "\\"),
    *('"\\ud800"', '"\\x00"', "\0", "\x07", "\x1b[2J", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff"),
    *("\ufffe", "\ud800", "\u202e", "e\u0301", "\U0001f600", "1e999", "0x", "0o8", ".inf"),
    *("9" * 50, "x" * 2000, "[" * 60, "- " * 60, "a: &a [*a]", "\nname: x"),
    *("\nextends: base.yaml\n", "\nextends: [", "\nextends: /dev/zero\n", "\nextends: {}\n"),
)


@st.composite
def texts(draw: Draw) -> bytes:
    """Draws the bytes of a file that is almost a config."""
    data = draw(experiments())
    if draw(st.booleans()):
        text = as_text(data)
    else:
        flow = draw(st.sampled_from((None, True, False)))
        text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow, sort_keys=False)
    for _ in range(draw(st.sampled_from((0, 1, 1, 2, 4)))):
        at = draw(st.integers(0, len(text)))
        until = at + draw(st.sampled_from((0, 0, 0, 1, 10, 1000)))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[until:]
        if rarely(draw):
            text += text[at : at + 200]  # keys that stand twice
    encoding = draw(st.sampled_from(("utf-8",) * 9 + ("utf-8-sig", "utf-16", "latin-1")))
    content = text.encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass")
    if rarely(draw):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(st.binary(max_size=3)) + content[at:]
    return content
