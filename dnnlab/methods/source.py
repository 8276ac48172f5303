"""Where a transfer takes weights from: a run, a config to be trained first, a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from dnnlab.choices.architectures.autoencoder import Autoencoder
from dnnlab.choices.datasets import Signature
from dnnlab.config.read import Config, read, validate
from dnnlab.config.write import settings
from dnnlab.config.yaml12 import Document
from dnnlab.errors import ConfigError, RunError
from dnnlab.experiment import Experiment
from dnnlab.methods.changes import recorded
from dnnlab.methods.resume import resume
from dnnlab.methods.train import Training, start
from dnnlab.methods.trained import load_trained
from dnnlab.runs.lock import is_taken
from dnnlab.runs.names import find, run_folders
from dnnlab.runs.records import open_file, read_json
from dnnlab.training.loop import Progress
from dnnlab.training.reuse import Offer

LARGEST = 2**34
"""Bytes of a file of weights."""


Follow = Callable[[str, Training, Iterator[Progress]], None]
"""What watches a training: its name, itself, and its steps, which have to be taken to the end."""


@dataclass(frozen=True)
class Source:
    """Weights that may be reused, and whose they are."""

    offer: Offer
    parent: dict[str, Any]
    """What the new run says of them."""
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """Returns the SHA-256 of all weights with their names."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.offer.tensors.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(
                tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
            )
        return digest.hexdigest()

    @property
    def name(self) -> str:
        """Returns whose they are, for people."""
        return str(self.parent.get("run") or self.parent.get("file"))


def find_source(word: str, runs: Path) -> Path | Config:
    """Returns what a word means: a file of weights, a config, or a run. Raises RunError or
    ConfigError.
    """
    if word.endswith(".safetensors"):
        return Path(word)
    if word.endswith((".yaml", ".yml")):
        return read(word)
    return find(word, runs)


def load_source(path: Path, which: str = "kept") -> Source:
    """Reads the weights of a run or of a file. Nothing of the run is changed.

    Raises RunError, or ConfigError for a checkpoint that cannot be.
    """
    if path.suffix == ".safetensors":
        if which != "kept":
            text = f"--checkpoint {which}: {path} is a file of weights and has none"
            raise ConfigError("--checkpoint", message=text)
        return _of_file(path)
    trained = load_trained(path, which=which, device="cpu")
    tensors = trained.state.copy_of_network()
    layers = worth_reusing(trained.experiment, trained.signature)
    offer = Offer(tensors, layers, trained.signature.input_shape, trained.scaling, trained.columns)
    about = read_json(path / "run.json")
    parent = {
        "run": str(path),
        "id": about.get("id"),
        "config_hash": about.get("config_hash"),
        "step": trained.step,
        "checkpoint": which,
    }
    return Source(offer, parent, trained.notes)


def worth_reusing(experiment: Experiment, signature: Signature) -> frozenset[str] | None:
    """Returns the layers of a net that another may begin with; None if all are.

    A pretraining's are those that the same net without it has, but the output; an autoencoder's are
    its encoder.
    """
    plain = experiment.model_copy(update={"pretraining": None})
    names = [layer.name for layer in plain.network(signature).layers()]
    if experiment.pretraining is not None:
        return frozenset(names[:-1])
    if isinstance(experiment.architecture, Autoencoder):
        depth = sum(entry.repeat for entry in experiment.architecture.hidden)
        return frozenset(names[:depth])
    return None


def _of_file(path: Path) -> Source:
    try:
        with open_file(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise RunError(f"{path} has more than {LARGEST:,} bytes")
        tensors = safetensors.torch.load(content)
    except FileNotFoundError:
        raise RunError(f"there is no file {path}") from None
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror}") from error
    except (SafetensorError, KeyError, RuntimeError, TypeError) as error:
        raise RunError(f"{path} holds no tensors: {error}") from error
    return Source(Offer(tensors), {"file": str(path)})


def run_of(config: Config, runs: Path) -> tuple[Path | None, bool]:
    """Returns the newest run of exactly this config, from scratch, and whether it is finished;
    (None, False) if there is none that could be used: one that is written at the moment, or was
    changed, is not.
    """
    scratch = config.experiment.model_copy(update={"transfer": None})
    wanted, begun = scratch.digest(), None
    for path in reversed(run_folders(runs)):
        try:
            about = read_json(path / "run.json")
            if about.get("config_hash") != wanted or about.get("parent") is not None:
                continue
            kept = recorded(path)
        except RunError:
            continue
        if kept is None or kept.digest() != wanted:
            continue
        if (path / "result.json").exists():
            return path, True
        if begun is None and not is_taken(path):
            begun = path
    return begun, False


def training_of(
    config: Config, *, runs: Path, command: list[str], at_folder: Callable[[], None]
) -> Path | Training:
    """Returns the finished run of a config, or the training that makes it: one that was begun is
    gone on with.
    """
    path, finished = run_of(config, runs)
    if path is None:
        return start(config, runs=runs, name=None, command=command, at_folder=at_folder)
    if finished:
        return path
    at_folder()
    return resume(path)


@dataclass(frozen=True)
class Origin:
    """Where weights are to come from: a path, or a config that is trained first."""

    path: Path | None = None
    which: str = "kept"
    config: Config | None = None

    @classmethod
    def of(cls, found: Path | Config, which: str) -> Origin:
        """Returns the origin that a word was found to mean: of a config, its training from scratch.

        Raises ConfigError for a checkpoint that the training of a config cannot be asked for.
        """
        if isinstance(found, Path):
            return cls(found, which)
        held_out = found.experiment.data.validation is not None
        if which not in ("kept", "last", "best") or (which == "best" and not held_out):
            known = "kept, best or last" if held_out else "kept or last: nothing is held out"
            raise ConfigError("--checkpoint", message=f"--checkpoint {which} of a config: {known}")
        scratch = found.experiment.model_copy(update={"transfer": None})
        return cls(None, which, found.with_experiment(scratch))

    def to_json(self) -> dict[str, Any]:
        """Returns it as study.json keeps it."""
        if self.config is None:
            assert self.path is not None
            return {"path": str(self.path.absolute()), "checkpoint": self.which}
        return {
            "settings": settings(self.config.experiment),
            "name": self.config.name,
            "text": self.config.text.decode("utf-8", "replace"),
            "checkpoint": self.which,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any], path: Path) -> Origin:
        """Returns an origin that was kept. Raises KeyError, TypeError or ConfigError."""
        if "path" in saved:
            return cls(Path(saved["path"]), saved["checkpoint"])
        document = Document(saved["settings"])
        experiment = validate(document, subject=str(path), folder=path)
        config = Config(
            str(path), str(saved["name"]), str(saved["text"]).encode(), experiment, document
        )
        return cls(None, saved["checkpoint"], config)


def load_origin(
    origin: Origin,
    *,
    runs: Path,
    command: list[str],
    follow: Follow,
    stop: Callable[[], bool],
    at_folder: Callable[[], None] = lambda: None,
) -> Source:
    """Returns the weights of an origin, for which a config is trained if it was not yet."""
    if origin.config is None:
        assert origin.path is not None
        return load_source(origin.path, origin.which)
    found = training_of(origin.config, runs=runs, command=command, at_folder=at_folder)
    if isinstance(found, Training):
        follow(f"{origin.config.name}, the source", found, found.carry_on(stop))
        found = found.folder.path
    return load_source(found, origin.which)
