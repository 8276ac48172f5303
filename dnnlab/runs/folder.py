"""The run folder: it explains itself, and holds what is needed to go on.

run.json            written once: schema, id, created, command, config hash, git, seed, parent
config.yaml         complete; config.source.yaml: the user's own bytes
environment.json    versions, device, threads, flags
data.json           fingerprint, sizes, class names, scaling
metrics.jsonl       one row a record; events.jsonl: one row an event
status.json         running | finished | interrupted | failed | diverged, and the step
result.json         at the end
checkpoints/        see checkpoints.py
"""

from __future__ import annotations

import os
import platform
import subprocess
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import filelock

from dnnlab import disk
from dnnlab.errors import RunError
from dnnlab.runs import checkpoints
from dnnlab.runs.names import as_name, taken
from dnnlab.runs.records import effective, read_json, read_rows, row_of, to_json
from dnnlab.training.loop import Record
from dnnlab.training.state import State

SCHEMA = 1
Status = Literal["running", "finished", "interrupted", "failed", "diverged"]


@dataclass(frozen=True)
class Origin:
    """What a new run is made of, as it is written down at its start."""

    config: str
    source: bytes
    config_hash: str
    seed: int
    command: list[str]
    environment: dict[str, Any]
    data: dict[str, Any]


class RunFolder:
    """A run that this process writes, and nobody else: it holds the folder's lock."""

    def __init__(self, path: Path, lock: filelock.BaseFileLock) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.segment = 0
        self._lock = lock
        self._metrics = disk.Log(path / "metrics.jsonl")
        self._events = disk.Log(path / "events.jsonl")

    @classmethod
    def create(cls, runs: Path, name: str | None, stem: str, origin: Origin) -> RunFolder:
        """Makes a run's folder. Without a name it gets the next number after `stem`.

        Raises RunError if a run of that name exists or the folder cannot be written.
        """
        with disk.explained(runs, remedy="--runs DIR names another folder"):
            runs.mkdir(parents=True, exist_ok=True)
            path = _claim(runs, name, as_name(stem))
            try:
                return cls._filled(path, origin)
            except BaseException:
                disk.remove_folder(path)
                raise

    @classmethod
    def _filled(cls, path: Path, origin: Origin) -> RunFolder:
        run = cls(path, _lock(path))
        disk.make_folder(run.checkpoints)
        environment, data = to_json(origin.environment, indent=1), to_json(origin.data, indent=1)
        disk.write_new(path / "environment.json", environment.encode())
        disk.write_new(path / "data.json", data.encode())
        disk.write_new(path / "config.yaml", origin.config.encode())
        disk.write_new(path / "config.source.yaml", origin.source)
        about = {
            "schema": SCHEMA,
            "id": uuid.uuid4().hex,
            "created": _now(),
            "command": origin.command,
            "config_hash": origin.config_hash,
            "git": _git(),
            "seed": origin.seed,
            "parent": None,
        }
        # Last: a folder without run.json is no run, whatever killed us before.
        disk.write_new(path / "run.json", to_json(about, indent=1).encode())
        disk.sync_folder(path)
        run.event("started", step=0)
        return run

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Opens a run to go on with it. Raises RunError if it is in use or of another schema."""
        check_run(path)
        with disk.explained(path):
            run = cls(path, _lock(path))
            begun = {"started", "resumed"}
            events = read_rows(path / "events.jsonl")
            run.segment = sum(row.get("event") in begun for row in events)
            checkpoints.remove_debris(run.checkpoints)
        return run

    def load(self) -> tuple[checkpoints.Checkpoint | None, dict[int, str]]:
        """Returns the newest whole checkpoint, if any, and why newer ones were set aside."""
        newest, damaged = checkpoints.load_newest(self.checkpoints)
        with disk.explained(self.path):
            for step, reason in damaged.items():
                checkpoints.set_aside(self.checkpoints, step)
                self.event("damaged", step=step, reason=reason)
        return newest, damaged

    def record(self, record: Record, seconds: float) -> None:
        """Writes a row of measurement; it is durable after the next save."""
        with disk.explained(self.path):
            row = row_of(record, segment=self.segment, seconds=seconds)
            self._metrics.append(to_json(row))

    def event(self, event: str, **details: Any) -> None:
        """Writes that something happened; durable at once."""
        row = {"v": 1, "time": _now(), "segment": self.segment, "event": event, **details}
        with disk.explained(self.path):
            self._events.append(to_json(row))
            self._events.sync()

    def save(self, state: State, extra: dict[str, Any]) -> None:
        """Commits a checkpoint, the records before it first, and removes old ones after it."""
        with disk.explained(self.path):
            self._metrics.sync()
            checkpoints.save(self.checkpoints, state, extra)
            checkpoints.prune(self.checkpoints, state.best.step if state.best else None)

    def status(self, status: Status, step: int) -> None:
        """Says how the run stands."""
        value = {
            "state": status,
            "step": step,
            "pid": os.getpid(),
            "host": platform.node(),
            "updated": _now(),
        }
        with disk.explained(self.path):
            disk.replace(self.path / "status.json", to_json(value, indent=1).encode())

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Writes a JSON file of the run, whole or not at all."""
        with disk.explained(self.path):
            disk.replace(self.path / name, to_json(value, indent=1).encode())

    def rows(self) -> list[dict[str, Any]]:
        """Returns the records that count."""
        return effective(read_rows(self.path / "metrics.jsonl"))

    def close(self) -> None:
        """Lets go of the run."""
        self._metrics.close()
        self._events.close()
        self._lock.release()


def check_run(path: Path) -> dict[str, Any]:
    """Returns run.json. Raises RunError if its schema is unknown or a part of the run missing."""
    about = read_json(path / "run.json")
    if about.get("schema") != SCHEMA:
        raise RunError(
            f"{path} has schema {about.get('schema')}; this dnnlab reads {SCHEMA}",
            remedy="use the dnnlab that wrote it",
        )
    for name in ("config.yaml", "data.json", "environment.json", "checkpoints"):
        if not (path / name).exists():
            raise RunError(f"{path} is no whole run: {name} is missing")
    return about


def _claim(runs: Path, name: str | None, stem: str) -> Path:
    if name is not None:
        try:
            disk.make_folder(runs / name)
        except FileExistsError:
            raise taken(name, runs) from None
        return runs / name
    numbers = [path.name.rpartition("-")[2] for path in runs.glob(f"{stem}-*")]
    number = max((int(end) for end in numbers if end.isdecimal()), default=0) + 1
    while True:
        try:
            disk.make_folder(runs / f"{stem}-{number:04d}")
        except FileExistsError:  # another start was faster
            number += 1
            continue
        return runs / f"{stem}-{number:04d}"


def _lock(path: Path) -> filelock.BaseFileLock:
    lock = filelock.FileLock(path / "lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RunError(f"{path} is in use{_holder(path)}") from None
    holder = {"pid": os.getpid(), "host": platform.node(), "since": _now()}
    disk.replace(path / "holder.json", to_json(holder).encode())
    return lock


def _holder(path: Path) -> str:
    try:
        holder = read_json(path / "holder.json")
    except RunError:
        return ""
    return f" by pid {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _git() -> dict[str, Any] | None:
    """Returns commit and dirtiness of the folder one works in, if it is a git checkout."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *words], capture_output=True, text=True, timeout=5, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if commit is None:
        return None
    changes = ask("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}
