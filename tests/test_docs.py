"""What is written about the code agrees with the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dnnlab import __version__
from dnnlab.cli.commands import COMMANDS
from dnnlab.config.schema import json_schema
from dnnlab.config.yaml12 import parse
from dnnlab.report.describe import reference
from tests.support import experiment_of

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += sorted((ROOT / "benchmarks").glob("*.md"))


def test_the_schema_for_editors_is_the_codes_own() -> None:
    """If this fails: make docs."""
    assert json.loads((ROOT / "configs/dnnlab.schema.json").read_text()) == json_schema()


def test_the_reference_is_the_codes_own() -> None:
    """If this fails: make docs."""
    assert (ROOT / "docs/reference.md").read_text() == "\n".join(reference()).rstrip() + "\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    known = {word for word, _, _ in COMMANDS}
    shown = "\n".join(re.findall(r"```.*?```", text, flags=re.DOTALL))
    for word in re.findall(r"^(?:\$ )?dnnlab ([a-z][a-z-]*)", shown, flags=re.MULTILINE):
        assert word in known, f"{page.name} names a command 'dnnlab {word}'"
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), f"{page.name} points at {target}"
    for config in re.findall(r"configs/[a-z0-9_]+\.yaml", text):
        assert (ROOT / config).exists(), f"{page.name} names {config}"
    for word in re.findall(r"make ([a-z]+)`", text):
        assert f"\n{word}:" in (ROOT / "Makefile").read_text(), f"no `make {word}`"


GUIDE = (ROOT / "docs" / "guide.md").read_text()
PARTS = re.findall(r"```yaml\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: str(part.splitlines()[0])[:40])
def test_what_the_guide_writes_is_right(part: str) -> None:
    """A part of a config is completed with the smallest data and net."""
    keys = parse(part.encode(), subject="guide").data
    if "extends" in keys:
        return
    missing = {"data": "data: digits\n", "architecture": "architecture: {name: mlp, hidden: [4]}\n"}
    experiment_of(part + "".join(line for key, line in missing.items() if key not in keys))


def test_every_command_has_its_object_in_the_page_on_json() -> None:
    text = (ROOT / "docs/json.md").read_text()
    for word, _, _ in COMMANDS:
        assert f"`{word}" in text, f"docs/json.md says nothing of {word}"


def test_the_changelog_knows_this_version() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text()
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
