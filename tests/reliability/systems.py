"""Other systems for `dnnlab.disk`: one that notes every call, one whose n-th call fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dnnlab import disk


@dataclass(frozen=True)
class Call:
    """A call that changed the disk. `path` is relative to the folder that is watched."""

    what: str
    path: str
    to: str = ""
    """The new name, of a rename."""
    content: bytes = b""
    """What was written."""
    size: int = 0
    """What a file was cut to."""

    def __str__(self) -> str:
        """The call as a test's message names it."""
        return f"{self.what} {self.path}" + (f" -> {self.to}" if self.to else "")


class Noting(disk.System):
    """Does everything, and notes it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[Call] = []
        self._open: dict[int, str] = {}

    def _note(self, what: str, path: Path | str, **more: object) -> None:
        name = path if isinstance(path, str) else os.path.relpath(path, self.root)
        self.calls.append(Call(what, name, **more))  # type: ignore[arg-type]

    def say(self, what: str, detail: str) -> None:
        """Notes what the writer has promised at this point."""
        self._note("said", f"{what} {detail}")

    def mkdir(self, path: Path) -> None:
        super().mkdir(path)
        self._note("mkdir", path)

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._note("create", path)
        self._open[descriptor] = os.path.relpath(path, self.root)
        return descriptor

    def open_log(self, path: Path) -> int:
        was_there = path.exists()
        descriptor = super().open_log(path)
        if not was_there:
            self._note("create", path)
        self._open[descriptor] = os.path.relpath(path, self.root)
        return descriptor

    def write(self, descriptor: int, content: memoryview) -> int:
        count = super().write(descriptor, content)
        if descriptor in self._open:  # the lock's holder is no part of a run that has to last
            self._note("write", self._open[descriptor], content=bytes(content[:count]))
        return count

    def truncate(self, descriptor: int, size: int) -> None:
        super().truncate(descriptor, size)
        self._note("truncate", self._open[descriptor], size=size)

    def fsync(self, descriptor: int) -> None:
        super().fsync(descriptor)
        self._note("fsync", self._open[descriptor])

    def close(self, descriptor: int) -> None:
        super().close(descriptor)
        self._open.pop(descriptor, None)

    def fsync_folder(self, path: Path) -> None:
        super().fsync_folder(path)
        self._note("fsync_folder", path)

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self._note("rename", old, to=os.path.relpath(new, self.root))

    def unlink(self, path: Path) -> None:
        super().unlink(path)
        self._note("unlink", path)

    def rmdir(self, path: Path) -> None:
        super().rmdir(path)
        self._note("rmdir", path)


@dataclass
class Failing(disk.System):
    """Lets the `first`-th call fail; with `lasting`, every later one of a kind that needs room too.

    A call that fails has done nothing, but `short` writes have written a half before.
    """

    first: int
    error: int = errno.ENOSPC
    lasting: bool = False
    short: bool = False
    calls: int = 0
    failed: list[str] = field(default_factory=list)

    def _count(self, what: str, *, needs_room: bool) -> bool:
        """Whether this call is to fail."""
        self.calls += 1
        fails = self.calls == self.first
        fails = fails or (self.lasting and needs_room and self.calls > self.first)
        if fails:
            self.failed.append(what)
        return fails

    def _perhaps(self, what: str, *, needs_room: bool = True) -> None:
        if self._count(what, needs_room=needs_room):
            raise OSError(self.error, os.strerror(self.error))

    def mkdir(self, path: Path) -> None:
        self._perhaps(f"mkdir {path.name}")
        super().mkdir(path)

    def create(self, path: Path) -> int:
        self._perhaps(f"create {path.name}")
        return super().create(path)

    def open_log(self, path: Path) -> int:
        self._perhaps(f"open {path.name}")
        return super().open_log(path)

    def write(self, descriptor: int, content: memoryview) -> int:
        if self._count("write", needs_room=True):
            if self.short and len(content) > 1:
                super().write(descriptor, content[: len(content) // 2])
            raise OSError(self.error, os.strerror(self.error))
        return super().write(descriptor, content)

    def truncate(self, descriptor: int, size: int) -> None:
        self._perhaps("truncate")
        super().truncate(descriptor, size)

    def fsync(self, descriptor: int) -> None:
        self._perhaps("fsync")
        super().fsync(descriptor)

    def fsync_folder(self, path: Path) -> None:
        self._perhaps(f"fsync folder {path.name}")
        super().fsync_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        self._perhaps(f"rename {old.name}")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._perhaps(f"unlink {path.name}", needs_room=False)
        super().unlink(path)

    def rmdir(self, path: Path) -> None:
        self._perhaps(f"rmdir {path.name}", needs_room=False)
        super().rmdir(path)


@contextmanager
def on(system: disk.System) -> Iterator[None]:
    """Lets `dnnlab.disk` work with another system."""
    before = disk.system
    disk.system = system
    try:
        yield
    finally:
        disk.system = before


def until_none_fails(
    make: Callable[[int], Failing], attempt: Callable[[Failing], None]
) -> list[str]:
    """Lets the 1st call fail, then the 2nd..., until an attempt needs no more calls.

    Returns what failed, one entry per attempt.
    """
    found: list[str] = []
    for number in range(1, 10_000):
        system = make(number)
        attempt(system)
        if not system.failed:
            return found
        found.append(system.failed[0])
    raise AssertionError("an attempt makes calls without end")
