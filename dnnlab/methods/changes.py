"""What of a run's settings may change once it has begun, and how one knows that it did."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from dnnlab.config.read import validate
from dnnlab.config.write import settings
from dnnlab.config.yaml12 import Document
from dnnlab.errors import ConfigError, RunError
from dnnlab.experiment import Experiment
from dnnlab.runs.records import read_json

Kind = Literal["free", "accept", "never"]
"""free: no number of the training depends on it. accept: the training goes on differently, which
has to be wanted. never: the weights, or what an update means, belong to the old value."""

FREE = (
    "training.checkpoint_every",
    "training.device",
    "training.threads",
    "training.epochs",
    "data.folder",
    "data.path",
    "metrics",
)
"""`training.epochs` is free where the schedule does not look at it; see `resume`."""
NEVER = (
    "data",
    "architecture",
    "initializer",
    "bias_initializer",
    "activation",
    "normalization",
    "pretraining",
    "optimizer.name",
    "training.seed",
    "training.batch_size",
    "training.last_batch",
    "transfer.reuse",
    "transfer.names",
    "transfer.scaling",
    "transfer.inputs",
    "transfer.resize_to",
)
WHOLE = ("transfer",)
"""Nor may these come or go, though some of what is in them may change."""

ROLLBACK = ("training.checkpoint_every",)
"""No longer free where a training goes back to its checkpoints."""


@dataclass(frozen=True)
class Change:
    """A setting that is not what it was."""

    path: tuple[str, ...]
    before: Any
    now: Any
    goes_back: bool = False
    """Whether the training may go back to a checkpoint."""

    @property
    def key(self) -> str:
        """Returns the setting as `--set` names it."""
        return ".".join(self.path)

    @property
    def kind(self) -> Kind:
        """Returns whether it may change."""
        if self.goes_back and any(self._within(key) for key in ROLLBACK):
            return "accept"
        if any(self._within(key) for key in FREE):
            return "free"
        never = self.key in WHOLE or any(self._within(key) for key in NEVER)
        return "never" if never else "accept"

    def _within(self, key: str) -> bool:
        return self.key == key or self.key.startswith(key + ".")

    def __str__(self) -> str:
        """What it was and what it is."""
        return f"{self.key}: {_shown(self.before)} -> {_shown(self.now)}"


def changes(before: Experiment, now: Experiment) -> list[Change]:
    """Returns what differs between two experiments, setting by setting."""
    goes_back = now.training.divergence.rollback is not None
    return [
        replace(change, goes_back=goes_back)
        for change in _differences((), settings(before), settings(now))
    ]


def recorded(run: Path) -> Experiment | None:
    """Returns what a run is trained with, whatever has become of config.yaml; None if the run is of
    an older dnnlab, which did not keep it. Raises RunError.
    """
    path = run / "settings.json"
    if not path.exists():
        return None
    found = read_json(path).get("settings")
    document = Document(found if isinstance(found, dict) else {})
    try:
        return validate(document, subject=str(path), folder=run)
    except ConfigError as error:
        first = f": {error.problems[0].message}" if error.problems else ""
        raise RunError(
            f"{path} says what this dnnlab does not know{first}",
            remedy="use the dnnlab that wrote it",
        ) from error


def as_begun(run: Path, now: Experiment) -> bool:
    """Whether a run began with these settings; all that one of an older dnnlab can be asked."""
    return read_json(run / "run.json").get("config_hash") == now.digest()


def _differences(path: tuple[str, ...], before: Any, now: Any) -> Iterator[Change]:
    if not isinstance(before, dict) or not isinstance(now, dict):
        if before != now:
            yield Change(path, before, now)
        return
    if before.get("name") != now.get("name"):  # another choice: its settings say nothing of ours
        yield Change((*path, "name"), before.get("name"), now.get("name"))
        return
    for key in before.keys() | now.keys():
        yield from _differences((*path, key), before.get(key), now.get(key))


def _shown(value: Any) -> str:
    text = "null" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}..."
