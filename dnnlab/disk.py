"""Every disk operation of a run, in one place: what is here decides what survives a power cut.

A file system may keep what was not fsynced, or lose it, in any order; a rename is atomic but only
durable once its folder is fsynced. Nothing else in dnnlab writes into a run.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dnnlab.errors import DnnlabError, MachineError, RunError


def make_folder(path: Path) -> None:
    """Makes a folder. Raises FileExistsError if it is there: of two racing starts one loses."""
    os.mkdir(path)
    sync_folder(path.parent)


def write_new(path: Path, content: bytes) -> None:
    """Writes a file that must not exist yet, and makes its content durable."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        _write_all(descriptor, content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Gives a file new content, so that a reader sees the old or the new one and never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        write_new(temporary, content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def rename_folder(temporary: Path, final: Path) -> None:
    """Makes a finished folder visible under its name; this is the moment it counts as written."""
    sync_folder(temporary)
    os.rename(temporary, final)
    sync_folder(final.parent)


def sync_folder(path: Path) -> None:
    """Makes a folder's entries durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_folder(path: Path) -> None:
    """Removes a folder and everything in it; that it is gone already is no error."""
    shutil.rmtree(path, ignore_errors=True)


class Log:
    """A file of lines that only grows. A line counts once `sync` has returned."""

    def __init__(self, path: Path) -> None:
        """Opens the log, cutting off the part of a line that a kill may have left at its end."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
        self._behind = True

    def append(self, line: str) -> None:
        """Writes one line."""
        _write_all(self._descriptor, line.encode() + b"\n")
        self._behind = True

    def sync(self) -> None:
        """Makes all lines durable."""
        if self._behind:
            os.fsync(self._descriptor)
            self._behind = False

    def close(self) -> None:
        """Closes the file, its lines durable."""
        self.sync()
        os.close(self._descriptor)


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@contextmanager
def explained(path: Path, *, remedy: str = "") -> Iterator[None]:
    """Turns what the system says about a path into an error; `remedy` is for lack of permission."""
    try:
        yield
    except OSError as error:
        raise _refusal(error, path, remedy) from error


def _refusal(error: OSError, path: Path, remedy: str) -> DnnlabError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        free = shutil.disk_usage(path if path.exists() else path.parent).free
        return MachineError(
            f"the disk is full: {path} could not be written, {free / 2**20:.0f} MiB are free",
            remedy="make room, then resume the run; what was saved before is whole",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return RunError(f"{path} cannot be written: {error.strerror}", remedy=remedy)
    return MachineError(f"{path}: {error.strerror or error}")
