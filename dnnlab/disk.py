"""Every disk operation of dnnlab, in one place: what is here decides what survives a power cut.

A file system may keep what was not fsynced, or lose it, in any order; a rename is atomic but only
durable once its folder is fsynced. Nothing else in dnnlab writes to the disk, and all that is here
goes through `system`: the tests put another one in its place, which notes every call or lets one of
them fail.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dnnlab.errors import DnnlabError, MachineError, RunError

if TYPE_CHECKING:
    import filelock


class System:
    """The calls that change the disk, or ask how full it is. Each raises OSError."""

    def mkdir(self, path: Path) -> None:
        """Makes a folder."""
        os.mkdir(path)

    def create(self, path: Path) -> int:
        """Makes a file that is not there yet, and returns its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def open_log(self, path: Path) -> int:
        """Opens a file to append to, making it if need be. A link is not followed."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        return os.open(path, flags, 0o644)

    def write(self, descriptor: int, content: memoryview) -> int:
        """Writes some of the content, and returns how much."""
        return os.write(descriptor, content)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cuts a file."""
        os.ftruncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        """Makes a file's content durable; on macOS that takes a call of its own."""
        whole = getattr(fcntl, "F_FULLFSYNC", None)
        if whole is None:
            os.fsync(descriptor)
        else:
            fcntl.fcntl(descriptor, whole)

    def close(self, descriptor: int) -> None:
        """Closes a file."""
        os.close(descriptor)

    def fsync_folder(self, path: Path) -> None:
        """Makes a folder's entries durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Gives a file or folder another name; a file of that name is replaced."""
        os.replace(old, new)

    def unlink(self, path: Path) -> None:
        """Removes a file's name."""
        os.unlink(path)

    def rmdir(self, path: Path) -> None:
        """Removes an empty folder."""
        os.rmdir(path)

    def free(self, path: Path) -> int:
        """Returns how many bytes can be written where `path` lies."""
        return shutil.disk_usage(path).free


system = System()
"""What every function here calls."""


# --- folders ---------------------------------------------------------------------------------


def make_folder(path: Path) -> None:
    """Makes a folder. Raises FileExistsError if it is there: of two racing starts one loses."""
    system.mkdir(path)
    try:
        system.fsync_folder(path.parent)
    except BaseException:
        remove_folder(path)
        raise


def make_temporary(path: Path) -> None:
    """Makes a folder that will be renamed, or made durable, when it is complete."""
    system.mkdir(path)


def make_folders(path: Path) -> None:
    """Makes a folder and those above it that are missing; that they are there is no error."""
    if path.is_dir():
        return
    if path.parent != path:
        make_folders(path.parent)
    with suppress(FileExistsError):  # another process was faster
        make_folder(path)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def rename_folder(temporary: Path, final: Path) -> None:
    """Makes a finished folder visible under its name; this is the moment it counts as written."""
    system.fsync_folder(temporary)
    system.rename(temporary, final)
    system.fsync_folder(final.parent)


def sync_folder(path: Path) -> None:
    """Makes a folder's entries durable."""
    system.fsync_folder(path)


def remove_folder(path: Path) -> None:
    """Removes a folder and everything in it, following no link. What cannot be removed stays."""
    with suppress(OSError, RecursionError):
        if path.is_symlink():
            system.unlink(path)
            return
        for entry in list(os.scandir(path)):
            if entry.is_dir(follow_symlinks=False):
                remove_folder(Path(entry.path))
            else:
                with suppress(OSError):
                    system.unlink(Path(entry.path))
        system.rmdir(path)


def discard_folder(path: Path) -> None:
    """Takes a folder out of sight at once, and then removes it: no reader meets a part of it."""
    doomed = path.with_name(f".{path.name}.{os.getpid()}.old")
    with suppress(OSError):
        system.rename(path, doomed)
        remove_folder(doomed)


def remove_file(path: Path) -> None:
    """Removes a file; that it is gone already is no error, and what cannot be removed stays."""
    with suppress(OSError):
        system.unlink(path)


def check_writable(folder: Path) -> None:
    """Writes a file where a folder is or will be, and removes it. Raises OSError."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    probe = folder / f".dnnlab-probe-{os.getpid()}-{time.monotonic_ns()}.tmp"
    try:
        write_new(probe, b"x")
    finally:
        remove_file(probe)


def free_bytes(folder: Path) -> int:
    """Returns how many bytes can be written where a folder is or will be."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    return system.free(folder)


# --- files -----------------------------------------------------------------------------------


def write_new(path: Path, content: bytes) -> None:
    """Writes a file that must not exist yet, and makes its content durable."""
    descriptor = system.create(path)
    try:
        _write_all(descriptor, content)
        system.fsync(descriptor)
    finally:
        system.close(descriptor)


def replace(path: Path, content: bytes) -> None:
    """Gives a file new content, so that a reader sees the old or the new one and never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    remove_file(temporary)
    try:
        write_new(temporary, content)
        system.rename(temporary, path)
    except BaseException:
        remove_file(temporary)
        raise
    system.fsync_folder(path.parent)


def rename_file(old: Path, new: Path) -> None:
    """Gives a file another name."""
    system.rename(old, new)
    system.fsync_folder(new.parent)


class Log:
    """A file of lines that only grows. A line counts once `sync` has returned."""

    def __init__(self, path: Path) -> None:
        """Opens the log, cutting off the part of a line that a kill may have left at its end."""
        self._descriptor = system.open_log(path)
        try:
            size = os.fstat(self._descriptor).st_size
            whole = _end_of_lines(self._descriptor, size)
            if whole < size:
                system.truncate(self._descriptor, whole)
        except BaseException:
            system.close(self._descriptor)
            raise
        self._behind = True
        self._broken = False

    def append(self, line: str) -> None:
        """Writes one line."""
        self._behind = True
        try:
            _write_all(self._descriptor, line.encode("utf-8", "backslashreplace") + b"\n")
        except BaseException:
            self._broken = True  # the next line would be appended to a part of this one
            raise

    def sync(self) -> None:
        """Makes all lines durable. After a failure it never says again that they are: the system
        may have dropped them, and would call a second attempt a success.
        """
        if self._broken:
            raise OSError(errno.EIO, "an earlier write failed")
        if self._behind:
            try:
                system.fsync(self._descriptor)
            except BaseException:
                self._broken = True
                raise
            self._behind = False

    def close(self) -> None:
        """Closes the file, its lines durable if they can be."""
        try:
            if not self._broken:
                self.sync()
        finally:
            system.close(self._descriptor)


def _end_of_lines(descriptor: int, size: int) -> int:
    """Returns where the last whole line of a file ends; it is looked for from the end."""
    while size:
        start = max(0, size - 2**20)
        if newline := os.pread(descriptor, size - start, start).rfind(b"\n") + 1:
            return start + newline
        size = start
    return 0


def _write_all(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[system.write(descriptor, rest) :]


# --- locks -----------------------------------------------------------------------------------

PATIENCE = 0.5
"""Seconds that a writer waits: `is_locked` of another process has the lock for an instant."""


def lock(path: Path, holder: str) -> filelock.BaseFileLock:
    """Takes the lock that a file stands for, and writes into it who holds it.

    The lock is released when the process ends, however it ends. Raises BlockingIOError if another
    has it, OSError if the file cannot be opened or is a link.
    """
    import filelock

    taken = filelock.FileLock(path, timeout=PATIENCE, thread_local=False)
    try:
        taken.acquire()
    except filelock.Timeout:
        raise BlockingIOError(errno.EWOULDBLOCK, "another process has the lock") from None
    try:
        flags = os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags)
        try:
            _write_all(descriptor, holder.encode())
        finally:
            system.close(descriptor)
    except BaseException:
        taken.release()
        raise
    return taken


def is_locked(path: Path) -> bool:
    """Whether a living process has the lock. Looking disturbs nobody."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # waits for no pipe
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


# --- what goes wrong -------------------------------------------------------------------------


@contextmanager
def explained(path: Path, *, remedy: str = "", size: int = 0) -> Iterator[None]:
    """Turns what the system says about a path into an error.

    `remedy` is for lack of permission, `size` how many bytes were to be written.
    """
    try:
        yield
    except OSError as error:
        raise _refusal(error, path, remedy, size) from error


def _refusal(error: OSError, path: Path, remedy: str, size: int) -> DnnlabError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        with suppress(OSError):
            free = f", {sized(free_bytes(path))} are free"
            needed = f" ({sized(size)})" if size else ""
            return MachineError(
                f"the disk is full: {path}{needed} could not be written{free}",
                remedy="make room, then resume the run; what was saved before is whole",
            )
        return MachineError(f"the disk is full: {path} could not be written")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return RunError(f"{path} cannot be written: {error.strerror}", remedy=remedy)
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}:
        return RunError(f"{path} cannot be used: {error.strerror}", remedy=remedy)
    return MachineError(
        f"the disk failed at {path}: {error.strerror or error}",
        remedy="what was saved before is whole; look after the disk, then resume the run",
    )


def sized(count: int) -> str:
    """Returns a number of bytes in KiB or MiB, to three digits or whole."""
    number, unit = (count / 2**10, "KiB") if count < 2**20 else (count / 2**20, "MiB")
    return f"{number:.3g} {unit}" if number < 1000 else f"{number:,.0f} {unit}"
