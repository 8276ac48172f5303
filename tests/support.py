"""What several tests build alike: an experiment from YAML text, small data, a session in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.datasets.downloads import Downloadable
from dnnlab.choices.datasets.images import FashionMnist
from dnnlab.config.read import Config, read, validate
from dnnlab.config.yaml12 import parse
from dnnlab.errors import ConfigError
from dnnlab.experiment import Experiment
from dnnlab.methods.session import Session, assemble
from dnnlab.methods.train import start
from dnnlab.training.data import Data, Scaling, Split

DIGITS = """
data: digits
architecture: {name: mlp, hidden: [16]}
training: {epochs: {updates: 12}, batch_size: 64, evaluate_every: {updates: 5}, threads: 1}
"""
"""An experiment of 12 updates on the bundled digits; every evaluation is in mid-epoch."""


def cases(usual: int) -> int:
    """Returns how many cases a property is tried on: as usual, or DNNLAB_FUZZ_TIMES as many."""
    return usual * int(os.environ.get("DNNLAB_FUZZ_TIMES", "1"))


def experiment_of(text: str) -> Experiment:
    """Returns the experiment that a YAML text describes, relative to the current folder."""
    document = parse(text.encode(), subject="test.yaml")
    return validate(document, subject="test.yaml", folder=Path())


def refusal_of(text: str) -> list[str]:
    """Returns the problems, `place message` each, for which a YAML text is refused."""
    with pytest.raises(ConfigError) as caught:
        experiment_of(text)
    return [f"{problem.place} {problem.message}" for problem in caught.value.problems]


def config_file(folder: Path, text: str = DIGITS, *options: str, name: str = "tiny") -> Config:
    """Writes a config and reads it, with options as `--set` has them."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return read(path, options)


def made_up_data(
    *, task: str = "classification", num_train: int = 50, features: int = 5, classes: int = 3
) -> Data:
    """Returns data that can be learned: a fixed linear rule and a little noise, seed 0."""
    random = np.random.default_rng(0)
    total = num_train + 40
    inputs = torch.from_numpy(random.normal(size=(total, features)).astype("float32"))
    rule = torch.from_numpy(random.normal(size=(features, classes)).astype("float32"))
    scores = inputs @ rule
    targets = scores.argmax(1) if task == "classification" else scores[:, :1]
    splits = [
        Split(inputs[rows], targets[rows])
        for rows in (
            slice(num_train),
            slice(num_train, num_train + 20),
            slice(num_train + 20, None),
        )
    ]
    outputs = classes if task == "classification" else 1
    return Data(
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        signature=Signature((features,), outputs, task),  # type: ignore[arg-type]
        scaling=Scaling(np.zeros((), "float32"), np.ones((), "float32"), None),
        fingerprint="made up",
        class_names=tuple("abcdefgh"[:outputs]) if task == "classification" else (),
        columns=(),
    )


def session_of(text: str, data: Data | None = None, *, folder: Path) -> Session:
    """Puts a training together in memory."""
    return assemble(config_file(folder, text), data or made_up_data())


def finished_run(folder: Path, text: str = DIGITS, *options: str, name: str = "done") -> Path:
    """Trains a config to its end in a run folder of its own."""
    config = config_file(folder, text, *options)
    training = start(config, runs=folder / "runs", name=name, command=["dnnlab", "train"])
    for _ in training.carry_on():
        pass
    return training.folder.path


def same_tensors(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two groups of tensors have the same names and the same bits."""
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def is_here(dataset: Dataset) -> bool:
    """Whether the real files are on this machine; tests never download them."""
    if not isinstance(dataset, Downloadable):
        return True
    return any(dataset.files_in(place) for place in dataset.places())


needs_fashion_mnist = pytest.mark.skipif(
    not is_here(FashionMnist()), reason="the Fashion-MNIST files are not on this machine"
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
