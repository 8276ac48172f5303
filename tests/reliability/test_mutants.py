"""The list of mutants is kept up with the code; `make soak` runs them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.reliability.mutants import FUZZERS, MUTANTS, ROOT, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant.file} {mutant.line[:40]}")
def test_a_mutant_changes_one_line(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / mutant.file, copy)
    mutant.apply(tmp_path)
    before = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    after = copy.read_text(encoding="utf-8").splitlines()
    different = [new for old, new in zip(before, after, strict=True) if old != new]
    assert [line.strip() for line in different] == [mutant.instead]
    compile(copy.read_text(encoding="utf-8"), mutant.file, "exec")


@pytest.mark.parametrize("test", sorted({mutant.test for mutant in MUTANTS} | set(FUZZERS)))
def test_the_tests_that_are_named_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    source = (ROOT / file).read_text(encoding="utf-8")
    assert not name or re.search(rf"^def {re.escape(name)}\(", source, re.MULTILINE)


def test_a_line_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("a = 1\nb = 1\na = 1\n")
    with pytest.raises(ValueError, match="0 lines"):
        Mutant("x.py", "c = 1", "").apply(tmp_path)
    with pytest.raises(ValueError, match="2 lines"):
        Mutant("x.py", "a = 1", "").apply(tmp_path)
    Mutant("x.py", "a = 1", "", "a = 2", after="b = 1").apply(tmp_path)
    assert (tmp_path / "x.py").read_text() == "a = 1\nb = 1\na = 2\n"
