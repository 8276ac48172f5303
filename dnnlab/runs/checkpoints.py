"""Checkpoints: a folder per saved step, visible only when everything in it is on the disk.

    checkpoints/step-000001719/
        network.safetensors    parameters and buffers after 1,719 updates
        optimizer.safetensors  the optimizer's memory
        best.safetensors       parameters and buffers of the best evaluation so far, if there is one
        state.json             everything that is no tensor
        manifest.json          size and SHA-256 of each file above; written last

Each is whole in itself: nothing points from one to another, and no file says which is the latest.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from dnnlab import disk
from dnnlab.errors import RunError
from dnnlab.runs.records import json_bytes, open_file, parse_json, read_json
from dnnlab.training.state import State

SCHEMA = 1
TENSOR_FILES = ("network", "optimizer", "best")
STEP = re.compile(r"step-([0-9]{9}|[1-9][0-9]{9,17})")
DEBRIS = re.compile(r"\.step-[0-9]{9,}\.[0-9]+\.(tmp|old)")
KEPT = 2
"""How many of the newest checkpoints stay; that of the best step stays too."""
OVERHEAD = 2**16
"""Bytes of a checkpoint that are no tensors, at most."""
HEADER = 512
"""Bytes that a file spends on a tensor's name and shape, at most."""


class NewerSchema(RunError):
    """A later dnnlab wrote a checkpoint: it is not damaged, and must stay as it is."""


@dataclass(frozen=True)
class Checkpoint:
    """The verified content of a checkpoint."""

    folder: Path
    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]

    def fill(self, state: State) -> None:
        """Gives a state what was saved. Raises RunError if it is not of this net, or malformed."""
        try:
            state.load(self.tensors, self.state["state"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self._malformed(error) from error
        if state.step != self.step:
            raise RunError(f"{self.folder} holds the state of update {state.step}")

    def seconds(self) -> dict[str, float]:
        """Returns the seconds by phase that the run had taken. Raises RunError."""
        try:
            spent = self.state["seconds"]
            return {phase: _seconds(spent[phase]) for phase in ("total", "training", "evaluation")}
        except (KeyError, TypeError, ValueError) as error:
            raise self._malformed(error) from error

    def _malformed(self, error: Exception) -> RunError:
        return RunError(f"{self.folder / 'state.json'} is not as dnnlab wrote it: {error!r}")


def folder_of(checkpoints: Path, step: int) -> Path:
    """Returns where the checkpoint of a step lies."""
    return checkpoints / f"step-{step:09d}"


def steps(checkpoints: Path) -> list[int]:
    """Returns the steps of which there is a checkpoint, whole or not, the oldest first."""
    try:
        folders = [e.name for e in os.scandir(checkpoints) if e.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{checkpoints} cannot be read: {error.strerror}") from error
    return sorted(int(match[1]) for name in folders if (match := STEP.fullmatch(name)))


def save(checkpoints: Path, state: State, extra: dict[str, Any]) -> None:
    """Commits the state. When this returns it survives a kill and a power cut.

    `extra` is kept in state.json beside the state's own numbers.
    """
    final = folder_of(checkpoints, state.step)
    if final.is_dir() and not final.is_symlink():
        return
    files = {
        f"{group}.safetensors": safetensors.torch.save(
            {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        )
        for group, tensors in state.tensors().items()
    }
    numbers = {"schema": SCHEMA, **extra, "state": state.numbers()}
    files["state.json"] = json_bytes(numbers)
    manifest = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    files["manifest.json"] = json_bytes({"schema": SCHEMA, "files": manifest})
    temporary = checkpoints / f".{final.name}.{os.getpid()}.tmp"
    disk.remove_folder(temporary)
    with disk.explained(final, size=sum(map(len, files.values()))):
        try:
            disk.make_temporary(temporary)
            for name, content in files.items():
                disk.write_new(temporary / name, content)
            disk.rename_folder(temporary, final)
        except BaseException:
            disk.remove_folder(temporary)
            disk.remove_folder(final)  # visible, but nobody knows whether it is durable
            raise


def room_for(state: State, *, goes_back: bool) -> int:
    """Returns how many bytes the checkpoints of a run take at most: the newest, the best, the one
    being written, and two more where a training may have to go back to them.
    """
    network, optimizer = _sizes(state)
    return (KEPT + (4 if goes_back else 2)) * (2 * network + optimizer + OVERHEAD)


def largest_file(state: State) -> int:
    """Returns how many bytes a file of a checkpoint of this state has at most."""
    return max(_sizes(state)) + OVERHEAD


def _sizes(state: State) -> tuple[int, int]:
    """Returns the bytes of network and optimizer, with what is said of each tensor."""
    groups = (state.network_tensors(), state.slot_tensors())
    network, optimizer = (
        sum(tensor.nbytes + HEADER for tensor in tensors.values()) for tensors in groups
    )
    return network, optimizer


def set_aside(checkpoints: Path, step: int) -> None:
    """Takes a damaged checkpoint out of the way, so that its step can be saved again."""
    folder = folder_of(checkpoints, step)
    number = 1
    while (aside := checkpoints / f"damaged-{folder.name}-{number}").exists():
        number += 1
    disk.rename_folder(folder, aside)


def prune(checkpoints: Path, *stay: int | None) -> None:
    """Removes all but the newest checkpoints and those saved at steps that are to stay."""
    for step in steps(checkpoints)[:-KEPT]:
        if step not in stay:
            disk.discard_folder(folder_of(checkpoints, step))


def discard_after(checkpoints: Path, step: int) -> None:
    """Removes the checkpoints of later steps, to which the training will come another way."""
    for later in steps(checkpoints):
        if later > step:
            disk.discard_folder(folder_of(checkpoints, later))


def remove_debris(checkpoints: Path) -> None:
    """Removes what a killed writer left. Only whoever holds the run's lock may."""
    for path in checkpoints.iterdir():
        if DEBRIS.fullmatch(path.name):
            disk.remove_folder(path)


def load(checkpoints: Path, step: int, most: int | None = None) -> Checkpoint:
    """Reads a checkpoint and verifies every byte. Raises RunError saying what is wrong with it.

    A file of more than `most` bytes is refused unread.
    """
    folder = folder_of(checkpoints, step)
    manifest = read_json(folder / "manifest.json")
    if (schema := manifest.get("schema")) != SCHEMA:
        newer = isinstance(schema, int) and schema > SCHEMA
        raise (NewerSchema if newer else RunError)(
            f"{folder} has schema {str(schema)[:20]}; this dnnlab reads {SCHEMA}",
            remedy="use the dnnlab that wrote it",
        )
    files = manifest.get("files")
    allowed = {"state.json", *(f"{group}.safetensors" for group in TENSOR_FILES)}
    if not isinstance(files, dict) or not {"state.json", "network.safetensors"} <= set(files):
        raise RunError(f"{folder / 'manifest.json'} lists no checkpoint")
    if strangers := set(files) - allowed:
        raise RunError(f"{folder / 'manifest.json'} names {sorted(strangers)[0][:100]!r}")
    contents = {name: verified(folder / name, entry, most) for name, entry in files.items()}
    tensors = {}
    for group in TENSOR_FILES:
        name = f"{group}.safetensors"
        if name in contents:
            tensors[group] = tensors_in(contents[name], folder / name)
    return Checkpoint(
        folder, step, tensors, parse_json(contents["state.json"], folder / "state.json")
    )


def load_newest(
    checkpoints: Path, most: int | None = None, until: int | None = None
) -> tuple[Checkpoint | None, dict[int, str]]:
    """Returns the newest checkpoint that is whole, and by step what was wrong with those after it.

    Those of steps after `until` are not looked at. None if no checkpoint was ever saved. A writer
    may save and remove others meanwhile. Raises RunError if there are some and all are damaged, or
    one is of a later dnnlab.
    """
    damaged: dict[int, str] = {}
    last = math.inf if until is None else until
    while unread := [step for step in steps(checkpoints) if step not in damaged and step <= last]:
        for step in reversed(unread):
            try:
                return load(checkpoints, step, most), damaged
            except NewerSchema:
                raise
            except RunError as error:
                if not folder_of(checkpoints, step).is_dir():
                    break  # it was removed, so there are newer ones now
                damaged[step] = error.message
    if damaged:
        reasons = "; ".join(damaged.values())
        raise RunError(
            f"all {len(damaged)} checkpoints in {checkpoints} are damaged: {reasons}",
            remedy="restore the folder from a copy, or train anew under another name",
        )
    return None, damaged


def verified(path: Path, entry: Any, most: int | None) -> bytes:
    """Returns the content of a file that is as its manifest says. Raises RunError."""
    size = entry.get("size") if isinstance(entry, dict) else None
    if path.suffix == ".json":
        most = OVERHEAD
    try:
        with open_file(path) as file:
            found = os.fstat(file.fileno()).st_size
            if found != size:
                raise RunError(f"{path} has {found} bytes, its manifest says {str(size)[:20]}")
            if most is not None and found > most:
                text = f"{path} has {found:,} bytes; a state of this net takes {most:,} at most"
                raise RunError(text)
            content = file.read(found)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry.get("sha256"):
        raise RunError(f"{path} has changed: its SHA-256 begins {digest[:12]}")
    return content


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise ValueError(f"{value!r} are no seconds")
    return float(value)


def tensors_in(content: bytes, path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a file. Raises RunError if it holds none that torch knows."""
    try:
        return safetensors.torch.load(content)
    except (SafetensorError, KeyError, RuntimeError, AssertionError, TypeError) as error:
        raise RunError(f"{path} holds no tensors: {error!r}") from error
