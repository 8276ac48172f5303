"""The run folder: it explains itself, and holds what is needed to go on.

run.json            written once: schema, id, created, command, config hash, git, seed, parent
config.yaml         complete, for people; config.source.yaml: the user's own bytes
settings.json       the same settings for comparison: who changes config.yaml is told what differs
environment.json    versions, device, threads, flags
data.json           fingerprint, sizes, class names, scaling
metrics.jsonl       one row a record; events.jsonl: one row an event
status.json         running | finished | interrupted | failed | diverged, and the step
result.json         at the end
reused.safetensors  where some layers began with another net's weights: those weights; run.json
                    says whose they were, transfer.json what became of each layer
lock                held by whoever writes the run; in it pid, host and time
checkpoints/        see checkpoints.py
"""

from __future__ import annotations

import os
import platform
import re
import stat
import subprocess
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dnnlab import disk
from dnnlab.errors import DnnlabError, MachineError, RunError
from dnnlab.runs import checkpoints, lock
from dnnlab.runs.heritage import REUSED, Heritage
from dnnlab.runs.names import as_name, taken
from dnnlab.runs.records import (
    MOST_LOG,
    beginnings,
    json_bytes,
    measurements,
    read_json,
    row_of,
    scan_rows,
    to_json,
)
from dnnlab.training.loop import Record
from dnnlab.training.state import State

if TYPE_CHECKING:
    import filelock

SCHEMA = 1
HEARTBEAT = 10.0
"""Seconds after which status.json says anew how far a run has come."""
MOST_OF_A_REASON = 1000
"""Characters of why a checkpoint is damaged, in the events: it may quote what somebody else wrote.
"""
DEBRIS = re.compile(r"\.[a-z.]+\.\d+\.tmp")
Status = Literal["running", "finished", "interrupted", "failed", "diverged"]


@dataclass(frozen=True)
class Origin:
    """What a new run is made of, as it is written down at its start."""

    config: str
    source: bytes
    settings: dict[str, Any]
    config_hash: str
    seed: int
    command: list[str]
    environment: dict[str, Any]
    data: dict[str, Any]
    heritage: Heritage | None = None


class RunFolder:
    """A run that this process writes, and nobody else: it holds the folder's lock."""

    def __init__(self, path: Path, held: filelock.BaseFileLock) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"
        self.segment = 0
        self.saved_step: int | None = None
        """The step of the newest checkpoint, as far as this process knows."""
        self._lock = held
        self._beaten = time.monotonic()
        self._metrics = disk.Log(path / "metrics.jsonl")
        try:
            self._events = disk.Log(path / "events.jsonl")
        except BaseException:
            self._metrics.close()
            raise

    @classmethod
    def create(cls, runs: Path, name: str | None, stem: str, origin: Origin) -> RunFolder:
        """Makes a run's folder. Without a name it gets the next number after `stem`.

        Raises RunError if a run of that name exists or the folder cannot be written.
        """
        with disk.explained(runs, remedy=OTHER_FOLDER):
            disk.make_folders(runs)
            path = claim(runs, name, as_name(stem))
            try:
                return cls._filled(path, origin)
            except BaseException:
                disk.remove_folder(path)
                raise

    @classmethod
    def _filled(cls, path: Path, origin: Origin) -> RunFolder:
        run = cls._locked(path)
        try:
            disk.make_temporary(run.checkpoints)
            disk.write_new(path / "environment.json", json_bytes(origin.environment))
            disk.write_new(path / "data.json", json_bytes(origin.data))
            disk.write_new(path / "config.yaml", origin.config.encode("utf-8", "backslashreplace"))
            disk.write_new(path / "config.source.yaml", origin.source)
            disk.write_new(path / "settings.json", _settings(origin.settings))
            if origin.heritage is not None:
                disk.write_new(path / REUSED, origin.heritage.content)
                disk.write_new(path / "transfer.json", json_bytes(origin.heritage.table))
            disk.write_new(path / "status.json", json_bytes(_standing("running", 0)))
            run.event("started", step=0)
            # Everything else first: a folder without run.json is no run, whatever killed us before.
            disk.sync_folder(path)
            disk.write_new(path / "run.json", json_bytes(_about(origin)))
            disk.sync_folder(path)
        except BaseException:
            run.close()
            raise
        return run

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Opens a run to go on with it, mending what a kill has left.

        Raises RunError if it is in use, no whole run, or of another schema.
        """
        check_run(path)
        with disk.explained(path):
            run = cls._locked(path)
            try:
                for entry in path.iterdir():
                    if DEBRIS.fullmatch(entry.name):
                        disk.remove_file(entry)
                checkpoints.remove_debris(run.checkpoints)
                rows, _ = scan_rows(path / "metrics.jsonl")
                events, _ = scan_rows(path / "events.jsonl")
                run.segment = max(beginnings(events, rows), default=0)
            except BaseException:
                run.close()
                raise
        return run

    @classmethod
    def _locked(cls, path: Path) -> RunFolder:
        held = lock.take(path)
        try:
            return cls(path, held)
        except BaseException:
            held.release()
            raise

    def load(
        self, most: int, until: int | None = None
    ) -> tuple[checkpoints.Checkpoint | None, dict[int, str]]:
        """Returns the newest whole checkpoint, if any, and why newer ones were set aside.

        None of its files may have more than `most` bytes. Those of steps after `until` are not
        looked at.
        """
        newest, damaged = checkpoints.load_newest(self.checkpoints, most, until)
        with disk.explained(self.path):
            for step, reason in damaged.items():
                checkpoints.set_aside(self.checkpoints, step)
                self.event("damaged", step=step, reason=reason[:MOST_OF_A_REASON])
        self.saved_step = newest.step if newest else None
        return newest, damaged

    def begin_segment(self, event: str, *, step: int, **details: Any) -> None:
        """Says that the rows to come go on from `step`: what older ones say of later steps no
        longer counts.
        """
        self.segment += 1
        self.event(event, step=step, **details)

    def record(self, record: Record, seconds: float) -> None:
        """Writes a row of measurement; it is durable after the next save."""
        with disk.explained(self.path):
            row = row_of(record, segment=self.segment, seconds=seconds)
            self._metrics.append(to_json(row))

    def event(self, event: str, *, step: int, **details: Any) -> None:
        """Writes that something happened at a step; durable at once."""
        row = {"v": 1, "time": now(), "segment": self.segment, "event": event, "step": step}
        with disk.explained(self.path):
            self._events.append(to_json({**row, **details}))
            self._events.sync()

    def save(self, state: State, extra: dict[str, Any], stay: Iterable[int] = ()) -> None:
        """Commits a checkpoint, the records before it first, and removes old ones after it.

        Those of the steps `stay` are not among them.
        """
        with disk.explained(self.path):
            self._metrics.sync()
            checkpoints.save(self.checkpoints, state, extra)
            self.saved_step = state.step
            checkpoints.prune(self.checkpoints, state.best.step if state.best else None, *stay)

    def status(self, status: Status, step: int) -> None:
        """Says how the run stands."""
        self.write("status.json", _standing(status, step))
        self._beaten = time.monotonic()

    def beat(self, step: int) -> None:
        """Says now and then how far a running run has come."""
        if time.monotonic() - self._beaten > HEARTBEAT:
            self.status("running", step)

    def give_up(self, status: Status, step: int) -> None:
        """Says how the run stands, if that can still be written: another error is on its way."""
        with suppress(DnnlabError):
            self.status(status, step)

    def write(self, name: str, value: dict[str, Any]) -> None:
        """Writes a JSON file of the run, whole or not at all."""
        with disk.explained(self.path):
            disk.replace(self.path / name, json_bytes(value))

    def change_config(self, config: str, settings: dict[str, Any]) -> None:
        """Takes over changed settings. Killed in between, the next start finds them changed."""
        with disk.explained(self.path):
            disk.replace(self.path / "config.yaml", config.encode("utf-8", "backslashreplace"))
            disk.replace(self.path / "settings.json", _settings(settings))

    def set_result_aside(self) -> None:
        """Keeps the result that a longer training is about to supersede under another name."""
        with disk.explained(self.path):
            result = self.path / "result.json"
            disk.rename_file(result, self.path / f"result.segment-{self.segment}.json")

    def rows(self) -> list[dict[str, Any]]:
        """Returns the records that count."""
        return measurements(self.path)

    def close(self) -> None:
        """Lets go of the run. What could not be made durable was not called saved either."""
        for log in (self._metrics, self._events):
            with suppress(OSError):
                log.close()
        self._lock.release()


NEEDED = ("config.yaml", "data.json", "environment.json", "checkpoints")
WRITTEN_IN_PLACE = ("metrics.jsonl", "events.jsonl", "lock")
"""Files that are never replaced; where one is missing it is made."""
OTHER_FOLDER = "--runs DIR names another folder"


def check_runs_folder(runs: Path, needed: int) -> str | None:
    """Raises RunError if runs cannot be written there, MachineError if `needed` bytes are not free.

    Returns a warning if there is room, but little.
    """
    with disk.explained(runs, remedy=OTHER_FOLDER):
        disk.check_writable(runs)
        free = disk.free_bytes(runs)
    taken_up = f"the checkpoints take up to {disk.sized(needed)}"
    text = f"{taken_up}, {disk.sized(free)} are free in {runs}"
    if free < needed:
        raise MachineError(text, remedy=f"make room, or {OTHER_FOLDER}")
    return text if free < 3 * needed else None


def check_run(path: Path) -> dict[str, Any]:
    """Returns run.json. Raises RunError if its schema is unknown or a part of the run missing."""
    about = read_json(path / "run.json")
    if about.get("schema") != SCHEMA:
        raise RunError(
            f"{path} has schema {about.get('schema')!r}; this dnnlab reads {SCHEMA}",
            remedy="use the dnnlab that wrote it",
        )
    for name in (*NEEDED, *WRITTEN_IN_PLACE):
        what = "folder" if name == "checkpoints" else "file"
        try:
            entry = os.lstat(path / name)
        except FileNotFoundError:
            if name in WRITTEN_IN_PLACE:
                continue
            raise RunError(f"{path} is no whole run: {name} is missing") from None
        except OSError as error:
            raise RunError(f"{path / name} cannot be read: {error.strerror}") from error
        if stat.S_ISLNK(entry.st_mode):
            raise RunError(f"{path / name} is a link; dnnlab follows none in a run")
        if not (stat.S_ISDIR if what == "folder" else stat.S_ISREG)(entry.st_mode):
            raise RunError(f"{path / name} is no {what}")
        if entry.st_size > MOST_LOG:
            raise RunError(f"{path / name} has {entry.st_size:,} bytes; at most are {MOST_LOG:,}")
    return about


def _settings(settings: dict[str, Any]) -> bytes:
    return json_bytes({"schema": SCHEMA, "settings": settings})


def _standing(status: Status, step: int) -> dict[str, Any]:
    who = {"pid": os.getpid(), "host": platform.node()}
    return {"state": status, "step": step, **who, "updated": now()}


def _about(origin: Origin) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "id": uuid.uuid4().hex,
        "created": now(),
        "command": origin.command,
        "config_hash": origin.config_hash,
        "git": _git(),
        "seed": origin.seed,
        "parent": origin.heritage.of_whom() if origin.heritage else None,
    }


def claim(runs: Path, name: str | None, stem: str) -> Path:
    """Makes a folder of that name, or of the next number after `stem`. Raises RunError."""
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


def now() -> str:
    """Returns the time as files of runs have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _git() -> dict[str, Any] | None:
    """Returns commit and dirtiness of the folder one works in, if it is a git checkout."""

    def ask(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], capture_output=True, timeout=5, check=False)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if commit is None:
        return None
    changes = ask("status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}
