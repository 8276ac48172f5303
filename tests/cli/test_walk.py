"""Every choice of every family, named by `--set` on the command line, trains an epoch."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.variations import CHOICES, OTHERS, text_of

BASE = """
data: {name: digits, validation: {random: 150}, test: {fraction: 0.7}}
architecture: {name: mlp, hidden: [6, 5]}
training: {epochs: 1, batch_size: 40, threads: 1}
"""
NO_KEYS = re.compile(r"^(precision|divergence)", re.MULTILINE)
"""Words of `tests/variations.py` that are no top-level keys; the resume tests train them."""
WALK = [(f"{family} {name}", lines) for family, name, lines in CHOICES]
WALK += [("", lines) for lines in OTHERS if not NO_KEYS.search(lines)]


@pytest.mark.parametrize(
    ("choice", "lines"), WALK, ids=lambda value: str(value).replace("\n", "; ")[:60]
)
def test_it_trains_an_epoch(choice: str, lines: str, cli: Cli, tmp_path: Path) -> None:
    text_of(lines, tmp_path)  # writes the files that some of the lines name
    (tmp_path / "base.yaml").write_text(BASE)
    options: list[str] = []
    for line in lines.splitlines():
        key, _, value = line.partition(": ")
        options += ["--set", f"{key}={value}"]
    said = cli("train", "base.yaml", "--json", "--quiet", *options)
    assert said.code == 0, said.err
    result = json.loads(said.out)
    assert result["epochs"] == 1
    assert math.isfinite(result["metrics"]["train"]["loss"])
