"""The tests are tested: single lines that a promise hangs on, and the test that notices.

`python -m tests.reliability.mutants` takes each out of a copy of the project, one at a time, and
runs its test, which has to fail.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("dnnlab", "tests", "configs", "pyproject.toml", "docs", "README.md", "Makefile")
LONGEST = 600.0
"""Seconds after which a test counts as failed: some lines keep it from ending."""


@dataclass(frozen=True)
class Mutant:
    """A line of a file, what stands there instead, and the test that fails then."""

    file: str
    line: str
    """The line without its indentation; with `after`, the first such line behind that text."""
    test: str
    instead: str = "pass"
    after: str = ""

    def apply(self, root: Path) -> None:
        """Changes the file. Raises ValueError unless exactly one line is meant."""
        path = root / self.file
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        begin = 0
        if self.after:
            begin = 1 + next(
                (at for at, line in enumerate(lines) if self.after in line), len(lines)
            )
        found = [at for at in range(begin, len(lines)) if lines[at].strip() == self.line]
        if not found or (not self.after and len(found) > 1):
            raise ValueError(f"{self.file}: {len(found)} lines are {self.line!r}")
        indentation = lines[found[0]][: -len(lines[found[0]].lstrip())]
        lines[found[0]] = f"{indentation}{self.instead}\n"
        path.write_text("".join(lines), encoding="utf-8")

    def __str__(self) -> str:
        """The mutant as a person would look for it."""
        return f"{self.file}: {self.line!r} -> {self.instead!r} ({self.test})"


FUZZERS: tuple[str, ...] = ()

MUTANTS: tuple[Mutant, ...] = ()


def survivors(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Returns the mutants that their test did not notice. Raises AssertionError if a test fails
    without any.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, root / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, root / name)
        tests = sorted({mutant.test for mutant in mutants})
        assert _passes(root, *tests), "the tests fail without any mutant"
        for mutant in mutants:
            started, path = time.monotonic(), root / mutant.file
            content = path.read_bytes()
            mutant.apply(root)
            survived = _passes(root, mutant.test)
            path.write_bytes(content)
            word = "SURVIVED" if survived else "caught"
            print(f"{word} in {time.monotonic() - started:.0f} s: {mutant}", flush=True)
            found += [mutant] if survived else []
    return found


def _passes(root: Path, *tests: str) -> bool:
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-n", "0"]
    try:
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", *tests],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    assert done.returncode in (0, 1, 2), f"{tests}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.returncode == 0


if __name__ == "__main__":
    left = survivors(MUTANTS)
    print(f"{len(MUTANTS) - len(left)} of {len(MUTANTS)} mutants caught")
    sys.exit(1 if left else 0)
