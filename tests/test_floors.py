"""Imports only go down a floor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import dnnlab

ROOT = Path(dnnlab.__file__).parent
FLOORS = (
    {"errors", "spec", "randomness", "disk", "kernels"},
    {"choices"},
    {"experiment", "contradictions", "plan", "lint", "config"},
    {"training"},
    {"runs"},
    {"methods"},
    {"report"},
    {"cli"},
)
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in LEVEL)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Yields the rooms that a file imports from, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dnnlab."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.ImportFrom) and node.module == "dnnlab":
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    here = LEVEL[room_of(path)]
    upward = {room for room in imports(path) if LEVEL.get(room, -1) > here}
    assert not upward, f"{path} is on floor {here} and imports {upward}"


def test_every_room_has_a_floor() -> None:
    rooms = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "_"}
    rooms |= {path.stem for path in ROOT.glob("*.py") if path.stem[0] != "_"}
    assert rooms == set(LEVEL)


@pytest.mark.parametrize("path", sorted((ROOT / "kernels").glob("*.py")), ids=lambda p: p.stem)
def test_kernels_know_no_settings(path: Path) -> None:
    assert set(imports(path)) <= {"kernels"}
