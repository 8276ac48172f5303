from __future__ import annotations

import math
import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dnnlab.config.yaml12 import (
    MAX_BYTES,
    MAX_PROBLEMS,
    Document,
    Place,
    kind_of,
    parse,
    parse_value,
    scalar,
)
from dnnlab.errors import ConfigError
from tests.support import cases


def problems(text: str | bytes) -> list[str]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigError) as caught:
        parse(content, subject="a.yaml")
    return [f"{each.place} {each.message}".strip() for each in caught.value.problems] or [
        caught.value.message
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-1.", -1.0),
        ("012", 12),
        ("+7", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("off", "off"),
        ("y", "y"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2026-11-22", "2026-11-22"),
        ("~", None),
        ("null", None),
        ("", None),
        ("-.inf", -math.inf),
        ("1e", "1e"),
        ("0o8", "0o8"),
        ("selu", "selu"),
    ],
)
def test_scalars_are_those_of_yaml_12(text: str, value: object) -> None:
    found = parse(f"a: {text}".encode(), subject="a.yaml").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_read_and_quotes_make_text() -> None:
    data = parse(b"a: .nan\nb: \"1e-3\"\nc: 'true'", subject="a.yaml").data
    assert math.isnan(data["a"])
    assert (data["b"], data["c"]) == ("1e-3", "true")


def test_pyyaml_itself_reads_some_of_these_differently() -> None:
    """Why we do not use its resolver."""
    assert yaml.safe_load("[1e-3, no, 012, 1:30]") == ["1e-3", False, 10, 90]


def test_places_of_keys_and_values() -> None:
    text = b"data: digits\narchitecture:\n  hidden: [300,\n    {units: 5}]\n"
    document = parse(text, subject="a.yaml")
    assert str(document.place_of(("data",))) == "1:7"
    assert str(document.place_of(("data",), part="key")) == "1:1"
    assert str(document.place_of(("architecture", "hidden", 1, "units"))) == "4:13"
    assert str(document.place_of(("architecture", "hidden", 0))) == "3:12"


def test_what_is_not_written_stands_where_its_parent_does() -> None:
    document = parse(b"a: 1\noptimizer:\n  name: sgd\n", subject="a.yaml")
    assert str(document.place_of(("optimizer", "lr"))) == "2:1"
    assert str(Document().place_of(("optimizer",))) == ""


def test_a_place_in_another_file_names_it() -> None:
    assert str(Place("base.yaml", 3, 5)) == "base.yaml 3:5"
    assert str(Place("--set lr")) == "--set lr"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1\n", ["2:1 a tab; YAML indents with spaces"]),
        ("a: 1\na: 2\na: 3\n", [
            "2:1 key 'a' stands twice; first in line 1",
            "3:1 key 'a' stands twice; first in line 1",
        ]),
        ("a: &x 1\nb: *x\n", [
            "1:4 anchor &x: anchors are not used",
            "2:4 alias *x: aliases are not used; write the value",
        ]),
        ("a: !!python/object/apply:os.system [id]\n", [
            "1:4 tag tag:yaml.org,2002:python/object/apply:os.system: tags are not used; "
            "names are plain text",
        ]),
        ("a: 1\n---\nb: 2\n", ["2:1 a second document begins; a config is one document"]),
        ("", ["1:1 the file is empty; a config is a mapping such as `data: digits`"]),
        ("# nothing\n", ["1:1 the file is empty; a config is a mapping such as `data: digits`"]),
        ("- 1\n", ["1:1 a list stands at the top; a config is a mapping such as `data: digits`"]),
        ("digits", ["1:1 a text stands at the top; a config is a mapping such as `data: digits`"]),
        ("a: 1\n2: 3\n? [b]\n: 4\n", [
            "2:1 a number stands where a key is expected",
            "3:3 a list stands where a key is expected",
        ]),
        (b"a: 1\nb: \xff\n", ["2:1 not UTF-8: byte 0xff"]),
        ("a: 1\nb: \x00\n", ["2:1 a control character; a config is plain text"]),
        ("a: " + "9" * 10_000, ["1:4 999999999999... has 10000 digits"]),
        ('"a\\nb": 1\n"a\\nb": 2\n', ["2:1 key 'a\\nb' stands twice; first in line 1"]),
        ("a: [1, 2\n", [
            "2:1 not YAML: did not find expected ',' or ']' (while parsing a flow sequence)"
        ]),
    ],
)  # fmt: skip
def test_what_is_refused_is_said_in_one_line_each(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_depth_and_size_are_limited() -> None:
    assert problems("a: " + "[" * 100_000) == ["1:44 nested deeper than 40"]
    many = "over 5,000 keys and values; a config is a page of text"
    assert problems("a: [" + "1," * 30_000 + "]")[0] == f"1:9999 {many}"
    assert problems("a: 1\nb: {" + "".join(f"k{n}: 1, " for n in range(9000)) + "}")[0].endswith(
        many
    )
    big = b"a: 1 # " + b"x" * MAX_BYTES
    assert problems(big) == ["a.yaml is over 1 MB; a config is a page of text"]


MEGABYTE = MAX_BYTES - 100
BOMBS: dict[str, str | bytes] = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "aliases without end": "a: &a [x]\n" + "b: [*a, *a]\n" * (MEGABYTE // 12),
    "lists": "a: " + "[" * MEGABYTE,
    "mappings": "{" * MEGABYTE,
    "values": "a: [" + "1," * (MEGABYTE // 2),
    "keys": "".join(f"{number}: 1\n" for number in range(100_000)),
    "dashes": "- " * (MEGABYTE // 2),
    "questions": "? " * (MEGABYTE // 2),
    "anchors": "&a " * (MEGABYTE // 3),
    "tags": "a: !x 1\n" * (MEGABYTE // 8),
    "the same key": "a: 1\n" * (MEGABYTE // 5),
    "documents": "---\n" * (MEGABYTE // 4),
    "directives": "%YAML 1.2\n" * (MEGABYTE // 10),
    "tabs": "\t" * MEGABYTE,
    "comments": "#\n" * (MEGABYTE // 2),
    "an open quote": 'a: "' + "\\x41" * (MEGABYTE // 4),
    "digits": "a: " + "9" * MEGABYTE,
    "NUL at the end": "a: 1\n" * (MEGABYTE // 5) + "\0",
    "bad UTF-8 at the end": b"a: 1\n" * (MEGABYTE // 5) + b"\xff",
    "100 MB": b"a" * 10**8,
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_fast(name: str) -> None:
    started = time.process_time()
    found = problems(BOMBS[name])
    assert time.process_time() - started < 0.5  # 0.05 where nothing else runs
    assert 1 <= len(found) <= MAX_PROBLEMS + 1
    assert not any("\n" in line for line in found)


def test_of_very_many_problems_the_rest_is_not_read() -> None:
    found = problems("a: 1\n" * 1000)
    assert found[:2] == [f"{line}:1 key 'a' stands twice; first in line 1" for line in (2, 3)]
    assert found[100:] == ["101:1 the problems are so many that the rest was not read"]
    assert len(problems("a: 1\n" * 100)) == 99


def test_no_number_is_a_thousand_characters_long() -> None:
    started = time.process_time()
    for text in ("." + "9" * MEGABYTE, "1" * MEGABYTE + ".", "0." + "1" * MEGABYTE + "e"):
        assert parse(f"a: {text}".encode(), subject="a.yaml").data == {"a": text}
    assert time.process_time() - started < 0.5
    assert scalar("0." + "3" * 500) == 1 / 3


def test_a_byte_order_mark_is_accepted() -> None:
    assert parse(b"\xef\xbb\xbfa: 1\n", subject="a.yaml").data == {"a": 1}


def test_json_is_yaml() -> None:
    assert parse_value('{"a": [1, 2.5e-3, "x", null]}', subject="s") == {
        "a": [1, 0.0025, "x", None]
    }


def test_a_bad_option_value_names_the_option() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_value("[1, 2", subject="--set a=[1, 2")
    assert caught.value.problems[0].place == "--set a=[1, 2"


@pytest.mark.parametrize("value", ["a\udcff", "\ud800"])
def test_an_option_that_is_no_utf_8(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_value(value, subject="--set a")
    (problem,) = caught.value.problems
    assert problem.place == "--set a"
    assert problem.message.startswith("not UTF-8: ")


def test_an_option_in_an_alphabet_that_python_did_not_know() -> None:
    assert parse_value("gr\udcc3\udcb6\udcc3\udc9fe", subject="--set a") == "größe"


def test_kinds_are_named_as_people_do() -> None:
    values: tuple[object, ...] = (True, 1, 1.5, "x", [], {}, None)
    assert [kind_of(value) for value in values] == [
        "boolean",
        "number",
        "number",
        "text",
        "list",
        "mapping",
        "null",
    ]


PLAIN: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(categories=["L"]), min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=PLAIN)
@settings(max_examples=cases(150), deadline=None)
def test_what_a_dumper_quotes_properly_comes_back(value: object) -> None:
    from dnnlab.config.write import _Dumper

    text = yaml.dump({"value": value}, Dumper=_Dumper, allow_unicode=True)
    assert parse(text.encode(), subject="a.yaml").data == {"value": value}


def refusal(content: bytes) -> ConfigError | None:
    try:
        parse(content, subject="a.yaml")
    except ConfigError as error:
        return error
    return None


@given(text=st.text(max_size=60) | st.text("{}[]:,-&*!|>'\"# \n\ta1.e", max_size=60))
@settings(max_examples=cases(300), deadline=None)
def test_any_text_is_read_or_refused_cleanly(text: str) -> None:
    refused = refusal(text.encode("utf-8", "surrogatepass"))
    assert refused is None or refused.problems
    assert all("\n" not in each.message for each in (refused.problems if refused else ()))


@given(content=st.binary(max_size=80))
@settings(max_examples=cases(200), deadline=None)
def test_any_bytes_are_read_or_refused_cleanly(content: bytes) -> None:
    refused = refusal(content)
    assert refused is None or refused.problems


def test_scalar_is_total() -> None:
    for text in ("0x" + "f" * 1000, "-" * 50, "1" * 5000, "." * 9, "0o" + "7" * 99):
        scalar(text)
