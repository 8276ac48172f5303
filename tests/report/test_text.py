from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnnlab.report.text import counted, duration, printable, shown, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.82341, "0.8234"),
        (12.3456, "12.35"),
        (0.0, "0"),
        (-0.5, "-0.5000"),
        (0.000123456, "0.0001235"),
        (1.2e-8, "1.2e-08"),
        (123456.0, "1.235e+05"),
        (9999.94, "1e+04"),
        (9999.4, "9999"),
        (1234.56, "1235"),
        (1.0, "1.000"),
    ],
)
def test_four_digits_or_so(value: float, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3599.6, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * 2**30, "5.0 GiB"),
        (3 * 2**40, "3.0 TiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 runs"), (1, "1 run"), (1.0, "1 run"), (2500, "2,500 runs")]
)
def test_plurals(count: float, text: str) -> None:
    assert counted(count, "run") == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain [text] \\x1b", "plain [text] \\x1b"),
        ("Häuser 猫 😀", "Häuser 猫 😀"),
        ("می\u200cخواهم 👩\u200d💻 a\u3000b\xa0c", "می\u200cخواهم 👩\u200d💻 a\u3000b\xa0c"),
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("a\r\nb\tc\0\x7f", r"a\r\nb\tc\x00\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202egpj.exe\u2066\u200e\ufeff\U000e0041", r"\u202egpj.exe\u2066\u200e\ufeff\U000e0041"),
        ("\u2028\u2029\x85", r"\u2028\u2029\x85"),
        ("\udcff", r"\udcff"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(st.text())
def test_any_text_becomes_one_harmless_line(text: str) -> None:
    line = printable(text)
    assert {unicodedata.category(each) for each in line}.isdisjoint({"Cc", "Cs", "Zl", "Zp"})
    assert len(line.splitlines()) <= 1
    assert printable(line) == line
