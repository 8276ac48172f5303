"""What a run has from another net: the weights that some of its layers began with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from dnnlab.errors import RunError
from dnnlab.runs.checkpoints import tensors_in, verified
from dnnlab.runs.records import read_json

REUSED = "reused.safetensors"


@dataclass(frozen=True)
class Heritage:
    """A copy of what is reused: the run stands without the net that it came from."""

    parent: dict[str, Any]
    """Whose it was: a run with its id and step, or a file."""
    table: dict[str, Any]
    """What became of each layer."""
    content: bytes
    """The reused tensors as a file."""

    @classmethod
    def of(
        cls, parent: dict[str, Any], table: dict[str, Any], tensors: Mapping[str, Tensor]
    ) -> Heritage:
        """Packs the tensors that a net begins with."""
        copies = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return cls(parent, table, safetensors.torch.save(copies))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What the net begins with, by name."""
        return safetensors.torch.load(self.content)

    def of_whom(self) -> dict[str, Any]:
        """Returns what run.json says of the parent."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {**self.parent, "reused": {"size": len(self.content), "sha256": digest}}


def inherited(run: Path) -> dict[str, Tensor] | None:
    """Returns what a run's net began with, None for one from scratch. Raises RunError if that file
    is not as it was written.
    """
    parent = read_json(run / "run.json").get("parent")
    if parent is None:
        return None
    entry = parent.get("reused") if isinstance(parent, dict) else None
    if not isinstance(entry, dict):
        raise RunError(f"{run / 'run.json'} does not say what was reused")
    return tensors_in(verified(run / REUSED, entry, None), run / REUSED)
