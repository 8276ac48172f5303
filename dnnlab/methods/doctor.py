"""`dnnlab doctor`: whether this machine can do what dnnlab will ask of it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from dnnlab import disk
from dnnlab.choices import members
from dnnlab.choices.datasets.downloads import Downloadable
from dnnlab.training.machine import usable_cores


@dataclass(frozen=True)
class Check:
    """One thing looked at: ok, worth knowing (note), or in the way (problem)."""

    name: str
    verdict: Literal["ok", "note", "problem"]
    finding: str


def examine(runs: Path) -> list[Check]:
    """Looks at versions, devices, the runs folder and the data that are at hand."""
    return [*_versions(), _devices(), _arithmetic(), _runs_folder(runs), _data()]


def _versions() -> list[Check]:
    found = [f"python {platform.python_version()}"]
    missing = []
    required = importlib.metadata.requires("dnnlab") or []
    for requirement in required:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement)[0]
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return [Check("packages", "problem", f"not installed: {', '.join(missing)}")]
    return [Check("packages", "ok", ", ".join(found))]


def _devices() -> Check:
    cores = f"{usable_cores()} cores"
    if not torch.cuda.is_available():
        return Check("devices", "ok", f"cpu ({cores}); no CUDA device")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return Check("devices", "ok", f"cpu ({cores}), {', '.join(names)}")


def _arithmetic() -> Check:
    """A product must be the same twice, or no training can be repeated."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(64, 784, generator=generator) for _ in range(2))
    same = bool(torch.equal(left @ right.T, left @ right.T))
    verdict: Literal["ok", "problem"] = "ok" if same else "problem"
    return Check("arithmetic", verdict, "repeatable" if same else "the same product twice differs")


def _runs_folder(runs: Path) -> Check:
    folder = Path(os.path.realpath(runs))
    while not os.path.lexists(folder):
        folder = folder.parent
    if not os.access(folder, os.W_OK):
        return Check("runs folder", "problem", f"{folder} cannot be written")
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".dnnlab-doctor-") as probe:
            disk.write_new(Path(probe) / "probe", b"x")
            disk.sync_folder(Path(probe))
    except OSError as error:
        return Check("runs folder", "problem", f"{folder}: {error.strerror}")
    free = shutil.disk_usage(folder).free
    verdict: Literal["ok", "note"] = "ok" if free > 2**30 else "note"
    return Check("runs folder", verdict, f"{runs} is writable, {free / 2**30:.1f} GiB free")


def _data() -> Check:
    """Which of the datasets that lie in files are here; the others would be downloaded."""
    found = {
        name: kind.model_validate({"name": name}).find()
        for name, kind in members("data").items()
        if issubclass(kind, Downloadable)
    }
    places = {name: files[0].parent for name, files in found.items() if files}
    here = ", ".join(f"{name} in {place}" for name, place in places.items())
    absent = ", ".join(name for name in found if name not in places)
    if not places:
        return Check("data", "note", f"not here: {absent}; digits needs no download")
    more = f"; downloaded when first used: {absent}" if absent else ""
    return Check("data", "ok", here + more)
