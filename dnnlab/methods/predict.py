"""`dnnlab predict`: a net's answer for every example of a split or of a file."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from torch import Tensor

from dnnlab.choices.datasets.arrays import Npz
from dnnlab.choices.datasets.cells import encode, refuse_missing
from dnnlab.choices.datasets.image_folder import ImageFolder, images_at
from dnnlab.choices.datasets.table import TableData
from dnnlab.errors import ConfigError, DataError
from dnnlab.kernels.metrics import probabilities
from dnnlab.methods.evaluate import prepare_as_trained
from dnnlab.methods.trained import Trained
from dnnlab.training.evaluation import in_units_of_the_data, outputs_of


@dataclass(frozen=True)
class Predictions:
    """One entry per example, in the order of the file."""

    outputs: np.ndarray
    """Probabilities (N, C); numbers (N,) in the units of the data; or inputs given back (N, F)."""
    targets: np.ndarray | None
    """True classes or numbers (N,), where they are known."""
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """The file of each example, where each is one; else examples go by their numbers."""

    def __len__(self) -> int:
        return len(self.outputs)

    def to_csv(self) -> str:
        """Returns a table: example, prediction, target where known, and every probability."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        known = [] if self.targets is None else ["target"]
        examples = self.files or range(len(self))
        if self.outputs.ndim == 2 and not self.class_names:
            writer.writerow(["example", *(f"output{i}" for i in range(self.outputs.shape[1]))])
            for example, values in zip(examples, self.outputs, strict=True):
                writer.writerow([example, *(f"{value:.7g}" for value in values)])
            return text.getvalue()
        if not self.class_names:
            writer.writerow(["example", "prediction", *known])
            for row, value in enumerate(self.outputs):
                target = [] if self.targets is None else [f"{self.targets[row]:.7g}"]
                writer.writerow([row, f"{value:.9g}", *target])
            return text.getvalue()
        names = self.class_names
        probabilities = [f"p({name})" for name in names]
        writer.writerow(["example", "prediction", *known, *probabilities])
        for row, (example, shares) in enumerate(zip(examples, self.outputs, strict=True)):
            target = [] if self.targets is None else [names[int(self.targets[row])]]
            shown = [f"{share:.7g}" for share in shares]
            writer.writerow([example, names[int(shares.argmax())], *target, *shown])
        return text.getvalue()

    def to_npz(self) -> bytes:
        """Returns a NumPy archive: outputs, prediction, class_names; targets, files where known."""
        classes = bool(self.class_names)
        arrays: dict[str, Any] = {
            "outputs": self.outputs,
            "prediction": self.outputs.argmax(1) if classes else self.outputs,
            "class_names": np.array(self.class_names, dtype=np.str_),
        }
        if self.targets is not None:
            arrays["targets"] = self.targets
        if self.files:
            arrays["files"] = np.array(self.files, dtype=np.str_)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        return buffer.getvalue()


def predict_split(trained: Trained, split: str) -> Predictions:
    """Answers for every example of a split of the run's own data. Raises ConfigError for a net that
    has no answers.
    """
    _check_answers(trained)
    examples = prepare_as_trained(trained).splits().get(split)
    if examples is None:
        raise DataError(f"there is no {split} split: data.validation is null")
    if trained.experiment.pretraining is not None:  # what it learned is not what they are
        return _answer(trained, examples.inputs, None)
    targets = examples.targets
    if targets.is_floating_point():
        targets = in_units_of_the_data(targets, trained.scaling)[:, 0]
    return _answer(trained, examples.inputs, targets.numpy())


def predict_file(trained: Trained, path: Path) -> Predictions:
    """Answers for the examples of a file: a table with the run's columns, or NPZ with `inputs`.

    A run trained on a folder of images takes an image, or images lying in a folder. Inputs are raw,
    as the training data were. Raises DataError if they do not fit the run, ConfigError for a net
    that has no answers.
    """
    _check_answers(trained)
    notes: tuple[str, ...] = ()
    data = trained.experiment.data
    images: tuple[Path, ...] = ()
    if path.suffix.lower() == ".npz":
        raw = _read_npz(path)
        raw = data.as_learned(raw, "inputs") if isinstance(data, Npz) else raw
    elif isinstance(data, ImageFolder):
        images = tuple(images_at(path))
        raw = data.images(images)
    elif not trained.columns:
        raise DataError(
            f"{path}: this run was not trained on a table; give an .npz with an array `inputs`"
        )
    else:
        assert isinstance(data, TableData), "only tables have columns"
        rows = data.table(path)
        if data.missing == "refuse":
            refuse_missing(rows, [str(column["name"]) for column in trained.columns])
        raw, unknown = encode(rows, trained.columns)
        notes = tuple(
            f"column '{name}': {count} of {len(raw)} values are categories unknown in training"
            for name, count in unknown.items()
        )
    if not len(raw):
        raise DataError(f"{path} holds no example")
    expected = trained.signature.input_shape
    if raw.shape[1:] != expected:
        raise DataError(
            f"{path}: inputs have shape {list(raw.shape)}, the run takes {['N', *expected]}"
        )
    inputs = trained.scaling.inputs(raw)
    if not bool(inputs.isfinite().all()):
        row = int((~inputs.flatten(1).isfinite().all(1)).nonzero()[0])
        raise DataError(f"{path}: example {row} has an input that is missing or not finite")
    found = _answer(trained, inputs, None, notes)
    return replace(found, files=tuple(image.name for image in images))


def _check_answers(trained: Trained) -> None:
    pretraining = trained.experiment.pretraining
    if pretraining is not None and pretraining.answers_nothing:
        raise ConfigError(
            "RUN",
            message=f"{trained.path}: {pretraining.name} {pretraining.answers_nothing}",
            remedy=f"dnnlab transfer --from {trained.path} --to CONFIG",
        )


def _answer(
    trained: Trained, inputs: Tensor, targets: np.ndarray | None, notes: tuple[str, ...] = ()
) -> Predictions:
    placed = inputs.to(trained.device, trained.dtype)
    outputs = outputs_of(trained.state.network, placed, trained.experiment).double().cpu()
    if trained.experiment.task == "reconstruction":
        scaled = outputs.view(-1, *trained.signature.input_shape).numpy()
        raw = scaled * trained.scaling.scale + trained.scaling.shift
        return Predictions(raw.reshape(len(raw), -1), None, (), notes)
    if trained.experiment.task == "classification":
        return Predictions(probabilities(outputs).numpy(), targets, trained.class_names, notes)
    numbers = in_units_of_the_data(outputs, trained.scaling)[:, 0]
    return Predictions(numbers.numpy(), targets, (), notes)


def _read_npz(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if "inputs" not in archive:
                listed = ", ".join(archive.files) or "nothing"
                raise DataError(f"{path} has no array `inputs`; it holds {listed}")
            inputs: np.ndarray = archive["inputs"]
    except (OSError, ValueError, BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if inputs.dtype.kind not in "uif":
        raise DataError(f"{path}: `inputs` are {inputs.dtype}, not numbers")
    return inputs
