"""The folder of a study: several runs of one question, and the answer.

study.json          written once: schema, id, created, command, and what is to be trained
config.source.yaml  the user's own bytes
source.json         whose weights are reused, and their SHA-256, once they are known
runs/               one run a training, by name
result.json         the answer, at the end
plots/              its pictures
lock                held by whoever works on the study
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnlab import disk
from dnnlab.errors import RunError
from dnnlab.runs import lock
from dnnlab.runs.folder import OTHER_FOLDER, claim, now
from dnnlab.runs.names import STUDY, as_name
from dnnlab.runs.records import json_bytes, read_json

if TYPE_CHECKING:
    import filelock

SCHEMA = 1


class StudyFolder:
    """A study that this process works on, and nobody else: it holds the folder's lock."""

    def __init__(self, path: Path, held: filelock.BaseFileLock) -> None:
        self.path = path
        self.runs = path / "runs"
        self._lock = held

    @classmethod
    def create(
        cls,
        runs: Path,
        name: str | None,
        stem: str,
        *,
        command: list[str],
        source: bytes,
        about: dict[str, Any],
    ) -> StudyFolder:
        """Makes a study's folder. Without a name it gets the next number after `stem`.

        Raises RunError if there is one of that name or the folder cannot be written.
        """
        with disk.explained(runs, remedy=OTHER_FOLDER):
            disk.make_folders(runs)
            path = claim(runs, name, as_name(stem))
            try:
                study = cls(path, lock.take(path))
            except BaseException:
                disk.remove_folder(path)
                raise
            try:
                disk.make_temporary(study.runs)
                disk.write_new(path / "config.source.yaml", source)
                disk.sync_folder(path)
                whole = {
                    "schema": SCHEMA,
                    "id": uuid.uuid4().hex,
                    "created": now(),
                    "command": command,
                    **about,
                }
                disk.write_new(path / STUDY, json_bytes(whole))
                disk.sync_folder(path)
            except BaseException:
                study.close()
                disk.remove_folder(path)
                raise
        return study

    @classmethod
    def reopen(cls, path: Path) -> StudyFolder:
        """Opens a study to go on with it. Raises RunError if it is in use or of another schema."""
        read_about(path)
        with disk.explained(path):
            return cls(path, lock.take(path))

    def member(self, name: str) -> Path:
        """Returns where a training of the study lies, cleared of what a kill left of its start."""
        path = self.runs / name
        if path.exists() and not (path / "run.json").exists():
            with disk.explained(path):
                disk.remove_folder(path)
        return path

    def write(self, name: str, content: bytes) -> Path:
        """Writes a file of the study, whole or not at all."""
        path = self.path / name
        with disk.explained(path):
            disk.make_folders(path.parent)
            disk.replace(path, content)
        return path

    def close(self) -> None:
        """Lets go of the study."""
        with suppress(OSError):
            self._lock.release()


def read_about(path: Path) -> dict[str, Any]:
    """Returns study.json. Raises RunError if its schema is unknown."""
    about = read_json(path / STUDY)
    if about.get("schema") != SCHEMA:
        raise RunError(
            f"{path} has schema {about.get('schema')!r}; this dnnlab reads {SCHEMA}",
            remedy="use the dnnlab that wrote it",
        )
    return about
