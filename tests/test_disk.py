from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dnnlab import disk
from dnnlab.errors import MachineError, RunError


def test_a_new_file_is_new(tmp_path: Path) -> None:
    disk.write_new(tmp_path / "a", b"one")
    with pytest.raises(FileExistsError):
        disk.write_new(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"one"


def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:3]))
    disk.write_new(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_replacing_shows_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "status.json"
    disk.replace(path, b"old")

    def fail(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        disk.replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["status.json"]
    monkeypatch.undo()
    disk.replace(path, b"new")
    assert path.read_bytes() == b"new"


def test_everything_is_fsynced_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, then its folder, then the rename, then the parent: in this order."""
    done: list[str] = []
    real_sync, real_rename = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        done.append(f"fsync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        real_sync(descriptor)

    def rename(source: Path, target: Path) -> None:
        done.append(f"rename {target.name}")
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    temporary = tmp_path / "temporary"
    disk.make_folder(temporary)
    disk.write_new(temporary / "file", b"x")
    disk.rename_folder(temporary, tmp_path / "final")
    assert done == [
        f"fsync {tmp_path.name}",
        "fsync file",
        "fsync temporary",
        "rename final",
        f"fsync {tmp_path.name}",
    ]


def test_a_log_cuts_off_a_torn_line_before_it_writes(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": 2}\n{"a":')
    log = disk.Log(path)
    log.append('{"a": 3}')
    log.close()
    assert path.read_bytes() == b'{"a": 1}\n{"a": 2}\n{"a": 3}\n'


def test_a_log_that_is_one_torn_line_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"torn")
    disk.Log(path).close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (errno.ENOSPC, MachineError, "the disk is full: .* could not be written, .* MiB are free"),
        (errno.EACCES, RunError, "cannot be written: Permission denied"),
        (errno.EROFS, RunError, "cannot be written: Read-only file system"),
        (errno.EIO, MachineError, "Input/output error"),
    ],
)
def test_what_the_system_says_is_explained(
    tmp_path: Path, number: int, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message), disk.explained(tmp_path / "x"):
        raise OSError(number, os.strerror(number))


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    disk.remove_folder(tmp_path / "gone")
