from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from dnnlab.choices.datasets import Examples
from dnnlab.methods import examined
from dnnlab.methods.examined import examine_once
from dnnlab.training.examination import VERSION, Subject, examine

INPUTS = np.arange(60.0).reshape(20, 3)
COPIED = Subject(
    train=Examples(INPUTS, np.arange(20) % 2),
    validation=None,
    test=Examples(INPUTS[:4], np.arange(4) % 2),
    class_names=("no", "yes"),
    columns=(),
    learns_targets=True,
    fingerprint="0" * 64,
)
FOUND = examine(COPIED)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where what was found of COPIED is kept; neither the file nor its folders are there yet."""
    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "a" / "home"))
    return tmp_path / "a" / "home" / "examined" / f"{COPIED.key()}.json"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Subject]:
    """Every subject that is really examined from now on."""
    looked: list[Subject] = []

    def counted(subject: Subject) -> tuple[str, ...]:
        looked.append(subject)
        return examine(subject)

    monkeypatch.setattr(examined, "examine", counted)
    return looked


def test_data_are_examined_on_their_first_use(kept: Path, looks: list[Subject]) -> None:
    assert len(FOUND) == 1
    assert examine_once(COPIED) == FOUND
    assert examine_once(COPIED) == FOUND
    assert looks == [COPIED]
    assert json.loads(kept.read_bytes()) == {"version": VERSION, "findings": list(FOUND)}
    assert os.listdir(kept.parent) == [kept.name]


def test_that_nothing_was_found_is_kept_too(kept: Path, looks: list[Subject]) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"version": VERSION, "findings": []}))
    assert examine_once(COPIED) == ()
    assert looks == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"[" * 100_000,
        json.dumps({"version": VERSION}).encode(),
        json.dumps({"version": VERSION - 1, "findings": []}).encode(),
        json.dumps({"version": str(VERSION), "findings": []}).encode(),
        json.dumps({"version": VERSION, "findings": "all is well"}).encode(),
        json.dumps({"version": VERSION, "findings": [["all is well"]]}).encode(),
        json.dumps({"version": VERSION, "findings": ["all is well", None]}).encode(),
        json.dumps({"version": VERSION, "findings": ["\x1b[2J"]}).encode(),
        json.dumps({"version": VERSION, "findings": ["two\nlines"]}).encode(),
        json.dumps({"version": VERSION, "findings": []}).encode() + b" " * 2**20,
    ],
    ids=lambda content: content[:40].decode(errors="replace").replace("\n", " "),
)
def test_a_file_that_is_not_as_it_was_written_is_not_used(
    content: bytes, kept: Path, looks: list[Subject]
) -> None:
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    assert examine_once(COPIED) == FOUND
    assert looks == [COPIED]
    assert json.loads(kept.read_bytes())["findings"] == list(FOUND)


def test_where_nothing_can_be_kept_it_is_examined_each_time(
    kept: Path, looks: list[Subject]
) -> None:
    """A file stands where the folder should be: that stops root too."""
    kept.parent.parent.mkdir(parents=True)
    kept.parent.write_text("")
    assert examine_once(COPIED) == FOUND
    assert examine_once(COPIED) == FOUND
    assert looks == [COPIED, COPIED]


def test_what_is_no_file_is_not_read(kept: Path) -> None:
    kept.parent.mkdir(parents=True)
    os.mkfifo(kept)  # reading it would wait for ever
    assert examine_once(COPIED) == FOUND


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch, looks: list[Subject]) -> None:
    monkeypatch.setenv("DNNLAB_DATA", "~nobody-is-called-so/data")
    assert examine_once(COPIED) == FOUND
    assert looks == [COPIED]
