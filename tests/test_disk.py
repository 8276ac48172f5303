from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dnnlab import disk
from dnnlab.errors import MachineError, RunError
from tests.reliability.systems import Failing, on


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


def test_missing_folders_are_made_and_those_there_are_kept(tmp_path: Path) -> None:
    disk.make_folders(tmp_path / "a" / "b" / "c")
    disk.make_folders(tmp_path / "a" / "b" / "c")
    assert (tmp_path / "a" / "b" / "c").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        disk.make_folders(tmp_path / "file")


def test_a_line_after_one_that_could_not_be_written_is_not_believed(tmp_path: Path) -> None:
    """A part of the first may stand there, so that both together are no line."""
    log = disk.Log(tmp_path / "metrics.jsonl")
    with on(Failing(1, errno.ENOSPC, short=True)), pytest.raises(OSError, match="No space"):
        log.append('{"step": 1}')
    log.append('{"step": 2}')
    with pytest.raises(OSError, match="an earlier write failed"):
        log.sync()
    log.close()


def test_a_log_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "metrics.jsonl").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        disk.Log(tmp_path / "metrics.jsonl")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_removing_a_folder_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"mine")
    (tmp_path / "doomed" / "deep").mkdir(parents=True)
    (tmp_path / "doomed" / "link").symlink_to(tmp_path / "precious")
    disk.remove_folder(tmp_path / "doomed")
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
    assert (tmp_path / "precious" / "file").read_bytes() == b"mine"


def test_a_folder_that_is_discarded_is_gone_at_once(tmp_path: Path) -> None:
    (tmp_path / "step").mkdir()
    (tmp_path / "step" / "file").write_bytes(b"")
    seen: list[list[str]] = []

    class Looking(disk.System):
        def unlink(self, path: Path) -> None:
            seen.append([each.name for each in tmp_path.iterdir()])
            super().unlink(path)

    with on(Looking()):
        disk.discard_folder(tmp_path / "step")
    assert seen == [[f".step.{os.getpid()}.old"]]
    assert list(tmp_path.iterdir()) == []


def test_a_lock_has_one_holder_and_says_who(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not disk.is_locked(path)
    with disk.lock(path, "me"):
        assert path.read_text() == "me"
        assert disk.is_locked(path)
        assert disk.is_locked(path)  # looking takes nothing
        with pytest.raises(BlockingIOError):
            disk.lock(path, "another")
        assert path.read_text() == "me"
    disk.lock(path, "you").release()
    assert path.read_text() == "you"


def test_a_lock_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        disk.lock(tmp_path / "lock", "me")
    assert (tmp_path / "precious").read_bytes() == b"mine"


def test_the_probe_of_a_folder_leaves_nothing(tmp_path: Path) -> None:
    disk.check_writable(tmp_path / "not" / "yet")
    assert list(tmp_path.iterdir()) == []
    assert disk.free_bytes(tmp_path / "not" / "yet") > 0


@pytest.mark.parametrize(
    ("count", "text"), [(1000, "0.977 KiB"), (3 * 2**20, "3 MiB"), (2**40, "1,048,576 MiB")]
)
def test_sizes_are_said(count: int, text: str) -> None:
    assert disk.sized(count) == text
