"""docs/reliability.md names a test for every case; each is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
CASES = re.findall(r"^\| .+ \| .+ \| ([\d, ]+) \| `(.+)::(.+)` \|$", PAGE, re.MULTILINE)


def test_every_row_of_the_table_is_read() -> None:
    rows = PAGE.partition("| case |")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(CASES) == len(rows) >= 38


@pytest.mark.parametrize(("codes", "file", "name"), CASES)
def test_the_test_of_a_case_is_there(codes: str, file: str, name: str) -> None:
    source = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {name}\(", source, re.MULTILINE)
    assert set(map(int, codes.split(","))) <= {0, 1, 2, 3, 4, 5, 6, 130, 143}


def test_every_file_that_is_named_is_there() -> None:
    for path in re.findall(r"`(tests/[\w/.]+|docs/[\w/.-]+)`", PAGE):
        assert (ROOT / path).exists(), path
