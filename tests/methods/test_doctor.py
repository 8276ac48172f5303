from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest
import torch

from dnnlab import disk
from dnnlab.choices.datasets.downloads import Downloadable
from dnnlab.choices.datasets.images import FashionMnist
from dnnlab.methods.doctor import Check, examine
from tests.formats import write_idx


def found(runs: Path) -> dict[str, Check]:
    return {check.name: check for check in examine(runs)}


def test_a_good_machine(tmp_path: Path) -> None:
    checks = found(tmp_path / "runs")
    assert list(checks) == ["packages", "devices", "arithmetic", "runs folder", "data"]
    assert all(check.verdict != "problem" for check in checks.values())
    assert "torch " in checks["packages"].finding
    assert "jinja2 " in checks["packages"].finding
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        importlib.metadata,
        "requires",
        lambda _: ["torch>=2", "no-such-thing>=1", 'x; extra == "y"'],
    )
    check = found(tmp_path)["packages"]
    assert check == Check("packages", "problem", "not installed: no-such-thing")


def test_a_disk_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(disk, "write_new", full)
    check = found(tmp_path)["runs folder"]
    assert check.verdict == "problem"
    assert "No space left" in check.finding
    assert list(tmp_path.iterdir()) == []


def test_arithmetic_that_is_not_repeatable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "equal", lambda left, right: False)
    assert found(tmp_path)["arithmetic"].verdict == "problem"


def test_absent_data_are_worth_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Downloadable, "places", lambda self: [tmp_path])
    check = found(tmp_path)["data"]
    assert check.verdict == "note"
    assert "cifar10" in check.finding
    write_idx(tmp_path)
    monkeypatch.setattr(FashionMnist, "places", lambda self: [tmp_path])
    check = found(tmp_path)["data"]
    assert check.verdict == "ok"
    assert f"fashion_mnist in {tmp_path}" in check.finding


def test_runs_folders_that_no_disk_has(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    check = found(tmp_path / "loop")["runs folder"]
    assert (check.verdict, check.finding) == ("problem", f"{tmp_path / 'loop'} cannot be written")
    assert found(tmp_path / ("x" * 300))["runs folder"].name == "runs folder"
