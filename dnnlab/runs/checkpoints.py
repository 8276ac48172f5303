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
from dnnlab.runs.records import parse_json, read_json, to_json
from dnnlab.training.state import State

SCHEMA = 1
TENSOR_FILES = ("network", "optimizer", "best")
STEP = re.compile(r"step-(\d{9,})")
TEMPORARY = re.compile(r"\.step-\d{9,}\.\d+\.tmp")
KEPT = 2
"""How many of the newest checkpoints stay; that of the best step stays too."""


@dataclass(frozen=True)
class Checkpoint:
    """The verified content of a checkpoint."""

    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]


def folder_of(checkpoints: Path, step: int) -> Path:
    """Returns where the checkpoint of a step lies."""
    return checkpoints / f"step-{step:09d}"


def steps(checkpoints: Path) -> list[int]:
    """Returns the steps of which there is a checkpoint, whole or not, the oldest first."""
    if not checkpoints.is_dir():
        return []
    found = (STEP.fullmatch(path.name) for path in checkpoints.iterdir())
    return sorted(int(match[1]) for match in found if match)


def save(checkpoints: Path, state: State, extra: dict[str, Any]) -> None:
    """Commits the state. When this returns it survives a kill and a power cut.

    `extra` is kept in state.json beside the state's own numbers.
    """
    final = folder_of(checkpoints, state.step)
    if final.exists():
        return
    temporary = checkpoints / f".{final.name}.{os.getpid()}.tmp"
    disk.remove_folder(temporary)
    files = {
        f"{group}.safetensors": safetensors.torch.save(
            {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
        )
        for group, tensors in state.tensors().items()
    }
    numbers = {"schema": SCHEMA, **extra, "state": state.numbers()}
    files["state.json"] = to_json(numbers, indent=1).encode()
    manifest = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    try:
        disk.make_folder(temporary)
        for name, content in files.items():
            disk.write_new(temporary / name, content)
        whole = to_json({"schema": SCHEMA, "files": manifest}, indent=1).encode()
        disk.write_new(temporary / "manifest.json", whole)
        disk.rename_folder(temporary, final)
    except BaseException:
        disk.remove_folder(temporary)
        raise


def set_aside(checkpoints: Path, step: int) -> None:
    """Takes a damaged checkpoint out of the way, so that its step can be saved again."""
    folder = folder_of(checkpoints, step)
    number = 1
    while (aside := checkpoints / f"damaged-{folder.name}-{number}").exists():
        number += 1
    disk.rename_folder(folder, aside)


def prune(checkpoints: Path, best_step: int | None) -> None:
    """Removes all but the newest checkpoints and the one saved at the best step."""
    for step in steps(checkpoints)[:-KEPT]:
        if step != best_step:
            disk.remove_folder(folder_of(checkpoints, step))


def remove_debris(checkpoints: Path) -> None:
    """Removes what a killed writer left. Only whoever holds the run's lock may."""
    for path in checkpoints.iterdir():
        if TEMPORARY.fullmatch(path.name):
            disk.remove_folder(path)


def load(checkpoints: Path, step: int) -> Checkpoint:
    """Reads a checkpoint and verifies every byte. Raises RunError saying what is wrong with it."""
    folder = folder_of(checkpoints, step)
    manifest = read_json(folder / "manifest.json")
    if manifest.get("schema") != SCHEMA:
        raise RunError(
            f"{folder} has schema {manifest.get('schema')}; this dnnlab reads {SCHEMA}",
            remedy="use the dnnlab that wrote it",
        )
    files = manifest.get("files")
    allowed = {"state.json", *(f"{group}.safetensors" for group in TENSOR_FILES)}
    if not isinstance(files, dict) or not {"state.json", "network.safetensors"} <= set(files):
        raise RunError(f"{folder / 'manifest.json'} lists no checkpoint")
    if strangers := set(files) - allowed:
        raise RunError(f"{folder / 'manifest.json'} names {sorted(strangers)[0]!r}")
    contents = {name: _verified(folder / name, entry) for name, entry in files.items()}
    tensors = {}
    for group in TENSOR_FILES:
        name = f"{group}.safetensors"
        if name in contents:
            try:
                tensors[group] = safetensors.torch.load(contents[name])
            except SafetensorError as error:
                raise RunError(f"{folder / name} holds no tensors: {error}") from error
    return Checkpoint(step, tensors, parse_json(contents["state.json"], folder / "state.json"))


def load_newest(checkpoints: Path) -> tuple[Checkpoint | None, dict[int, str]]:
    """Returns the newest checkpoint that is whole, and by step what was wrong with those after it.

    None if no checkpoint was ever saved. Raises RunError if there are some and all are damaged.
    """
    damaged: dict[int, str] = {}
    known = steps(checkpoints)
    for step in reversed(known):
        try:
            return load(checkpoints, step), damaged
        except RunError as error:
            damaged[step] = error.message
    if known:
        reasons = "; ".join(damaged.values())
        raise RunError(
            f"all {len(known)} checkpoints in {checkpoints} are damaged: {reasons}",
            remedy="restore the folder from a copy, or train anew under another name",
        )
    return None, damaged


def _verified(path: Path, entry: Any) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    if not isinstance(entry, dict) or len(content) != entry.get("size"):
        size = entry.get("size") if isinstance(entry, dict) else None
        raise RunError(f"{path} has {len(content)} bytes, its manifest says {size}")
    digest = hashlib.sha256(content).hexdigest()
    if digest != entry.get("sha256"):
        raise RunError(f"{path} has changed: its SHA-256 begins {digest[:12]}")
    return content
