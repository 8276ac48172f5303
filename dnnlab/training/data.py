"""The data as the engine wants them: split, scaled, whole, and resident on the device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnnlab.choices.datasets import Dataset, Examples, Signature, Source
from dnnlab.choices.datasets.augmentation import Augmentation
from dnnlab.choices.datasets.classes import Relabelling
from dnnlab.choices.pretraining import Pretraining
from dnnlab.errors import DataError
from dnnlab.experiment import Experiment
from dnnlab.randomness import key
from dnnlab.training.examination import Examiner, Subject

ROUNDING = 1e-12
"""A deviation below this share of the mean is what float64 leaves of a constant."""
ROWS_AT_ONCE = 4096
"""Rows per step where float64 copies of the data are made, so that memory stays small."""

Augmenter = Callable[[Tensor, int], Tensor]
"""Scaled inputs of a batch and the number of its update -> inputs changed at random."""


@dataclass(frozen=True)
class Scaling:
    """x -> (x - shift) / scale, by statistics of the training split only.

    `shift` and `scale` have the shape of one input (or of one number); missing values (nan) become
    `fill`, if there is one. `target_shift` and `target_scale` do the same to the targets of a
    regression.
    """

    shift: np.ndarray
    scale: np.ndarray
    fill: np.ndarray | None
    target_shift: float = 0.0
    target_scale: float = 1.0

    def inputs(self, raw: np.ndarray) -> Tensor:
        """Returns float32 inputs of the same shape. float64 is scaled before it is rounded."""
        dtype = "float64" if raw.dtype == np.float64 else "float32"
        scaled = torch.from_numpy(raw.astype(dtype))
        if self.fill is not None:
            fill = torch.from_numpy(self.fill.astype(dtype))
            scaled = torch.where(scaled.isnan(), fill, scaled)
        shift, scale = self.shift.astype(dtype), self.scale.astype(dtype)
        scaled.sub_(torch.from_numpy(np.asarray(shift))).div_(torch.from_numpy(np.asarray(scale)))
        return scaled.float()

    def targets(self, raw: np.ndarray) -> Tensor:
        """Returns class indices (N,) as they are, numbers scaled and as a column (N, 1)."""
        targets = torch.from_numpy(raw)
        if targets.dtype == torch.int64:
            return targets
        return ((targets - self.target_shift) / self.target_scale).float()[:, None]

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether inputs of this shape can be scaled by it."""
        try:
            return np.broadcast_shapes(np.shape(self.shift), shape) == shape
        except ValueError:
            return False

    def with_inputs_of(self, other: Scaling) -> Scaling:
        """Returns this for the targets, and the other's for the inputs."""
        fill = self.fill if other.fill is None else other.fill
        return replace(self, shift=other.shift, scale=other.scale, fill=fill)

    def to_json(self) -> dict[str, Any]:
        """Returns the statistics, as data.json keeps them."""
        return {
            "shift": self.shift.tolist(),
            "scale": self.scale.tolist(),
            "fill": None if self.fill is None else self.fill.tolist(),
            "target_shift": self.target_shift,
            "target_scale": self.target_scale,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Scaling:
        """Returns the statistics that a run was trained with."""
        fill = saved["fill"]
        return cls(
            np.asarray(saved["shift"], dtype="float64"),
            np.asarray(saved["scale"], dtype="float64"),
            None if fill is None else np.asarray(fill, dtype="float64"),
            float(saved["target_shift"]),
            float(saved["target_scale"]),
        )


@dataclass(frozen=True)
class Split:
    """Inputs (N, *input_shape), float; targets (N,) of classes or (N, 1) of numbers."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device, dtype: torch.dtype) -> Split:
        """Returns the split on a device, its floating-point numbers in `dtype`."""
        targets = self.targets
        if targets.is_floating_point():
            targets = targets.to(dtype)
        return Split(self.inputs.to(device, dtype), targets.to(device))

    def reconstructing(self) -> Split:
        """Returns the split with the inputs (N, features) as targets; they share their memory."""
        return Split(self.inputs, self.inputs.flatten(1))

    def as_exam(self, pretraining: Pretraining, name: str) -> Split:
        """Returns the split of this name as a lesson makes it, once for all."""
        lesson = pretraining.lesson(self.inputs, self.targets)
        if lesson is None:
            return self
        rows = torch.arange(len(self), device=self.inputs.device)
        generator = torch.Generator().manual_seed(key(0, "exam", name))
        return Split(*lesson(self.inputs, self.targets, rows, generator))


@dataclass(frozen=True)
class Data:
    """All splits of a dataset, ready for training."""

    train: Split
    validation: Split | None
    test: Split
    signature: Signature
    scaling: Scaling
    fingerprint: str
    """SHA-256 of every example as read, and of how they are split."""
    class_names: tuple[str, ...]
    columns: tuple[dict[str, Any], ...]
    findings: tuple[str, ...] = ()
    """What was found worth telling of the examples, if they were examined."""

    def splits(self) -> dict[str, Split]:
        """Returns the splits by name."""
        both = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in both.items() if split is not None}

    def to(self, device: torch.device, dtype: torch.dtype) -> Data:
        """Returns the data with every split on a device."""
        held = None if self.validation is None else self.validation.to(device, dtype)
        train, test = self.train.to(device, dtype), self.test.to(device, dtype)
        return replace(self, train=train, validation=held, test=test)

    def augmenter(self, augmentation: Augmentation, seed: int) -> Augmenter:
        """Returns the function of a batch of scaled inputs and the update that learns from it.

        It changes the images as they were read, where black is 0: the scaling is undone and done
        again. Call it on data that lie on their device.
        """
        augment = augmentation.build()
        shift, scale = (
            torch.from_numpy(np.asarray(each, "float64")).to(self.train.inputs)
            for each in (self.scaling.shift, self.scaling.scale)
        )

        def augmented(inputs: Tensor, update: int) -> Tensor:
            generator = torch.Generator().manual_seed(key(seed, "augment", update))
            return augment(inputs * scale + shift, generator).sub_(shift).div_(scale)

        return augmented

    def reconstructing(self) -> Data:
        """Returns the data with every split's inputs as its targets."""
        held = None if self.validation is None else self.validation.reconstructing()
        train, test = self.train.reconstructing(), self.test.reconstructing()
        return replace(self, train=train, validation=held, test=test)

    def as_exams(self, pretraining: Pretraining) -> Data:
        """Returns the data with every split as a lesson makes it, once for all: the same in every
        training, whatever its seed.
        """

        held = self.validation
        return replace(
            self,
            train=self.train.as_exam(pretraining, "train"),
            validation=None if held is None else held.as_exam(pretraining, "validation"),
            test=self.test.as_exam(pretraining, "test"),
        )

    def to_json(self) -> dict[str, Any]:
        """Returns what data.json tells of the data: enough to prepare new inputs alike."""
        return {
            "fingerprint": self.fingerprint,
            "sizes": {name: len(split) for name, split in self.splits().items()},
            "input_shape": list(self.signature.input_shape),
            "task": self.signature.task,
            "class_names": list(self.class_names),
            "columns": list(self.columns),
            "scaling": self.scaling.to_json(),
            "findings": list(self.findings),
        }


def prepare_for(
    experiment: Experiment, examine: Examiner | None = None, scaling: Scaling | None = None
) -> Data:
    """Prepares the data of an experiment. Raises DataError."""
    learns_targets = experiment.learns_targets
    return prepare(experiment.data, learns_targets=learns_targets, examine=examine, scaling=scaling)


def prepare(
    dataset: Dataset,
    *,
    learns_targets: bool = True,
    examine: Examiner | None = None,
    scaling: Scaling | None = None,
) -> Data:
    """Reads a dataset, holds out its validation split, chooses classes, scales. Raises DataError.

    Where the targets are not learned, but the inputs given back, they may well be all alike.

    The order is: validation, classes, train_size, statistics. So the first 5,000 examples are the
    first of the file, whatever classes are learned, and only what is trained on is counted in.
    With a `scaling` that fits them, inputs are scaled by it and not by statistics of their own.
    """
    source = dataset.read()
    task, names = dataset.task_of_data, source.class_names
    train, validation, test = source.train, None, source.test
    if task == "classification":
        for name, split in (("train", train), ("test", test)):
            _refuse_labels(name, split, source)
    if dataset.validation is not None:
        validation = source.validation
        if validation is None:
            train, validation = dataset.validation.divide(train, "validation")
    if relabelling := dataset.relabelling(names):
        names = relabelling.names
        train, test = _chosen(train, relabelling), _chosen(test, relabelling)
        validation = None if validation is None else _chosen(validation, relabelling)
    if dataset.train_size is not None:
        train = dataset.train_size.keep(train, "train_size")
    splits = {"train": train, "validation": validation, "test": test}
    for name, part in splits.items():
        if part is not None:
            _refuse_what_is_no_number(name, part, source)
            if learns_targets and task == "classification":
                _refuse_what_says_nothing(name, part, names)
    own = _statistics(train, dataset, source, learns_targets=learns_targets)
    fits = scaling is not None and scaling.fits(train.inputs.shape[1:])
    scaling = own.with_inputs_of(scaling) if scaling is not None and fits else own
    fingerprint = _fingerprint(train, validation, test)
    subject = Subject(train, validation, test, names, source.columns, learns_targets, fingerprint)
    return Data(
        train=_scaled(train, scaling),
        validation=None if validation is None else _scaled(validation, scaling),
        test=_scaled(test, scaling),
        signature=Signature(train.inputs.shape[1:], len(names) or 1, task),
        scaling=scaling,
        fingerprint=fingerprint,
        class_names=names,
        columns=source.columns,
        findings=() if examine is None else examine(subject),
    )


def _chosen(examples: Examples, relabelling: Relabelling) -> Examples:
    new = relabelling.new[examples.targets]
    if not (new >= 0).all():
        kept = np.flatnonzero(new >= 0)
        examples, new = examples.take(kept), new[kept]
    return replace(examples, targets=new)


def _refuse_labels(name: str, examples: Examples, source: Source) -> None:
    num_classes = len(source.class_names)
    wrong = (examples.targets < 0) | (examples.targets >= num_classes)
    if wrong.any():
        row, others = int(wrong.argmax()), int(wrong.sum()) - 1
        more = f"; other labels that are not: {others:,}" if others else ""
        raise DataError(
            f"{_file(source)}label {examples.targets[row]} of {examples.name_of(row)} of the "
            f"{name} split is not one of the {num_classes} classes, 0 to {num_classes - 1}{more}",
            remedy="correct the data",
        )


def _refuse_what_says_nothing(name: str, examples: Examples, names: tuple[str, ...]) -> None:
    """Refuses a class that cannot be learned, and a split that all nets that name it get right."""
    counts = np.bincount(examples.targets, minlength=len(names))
    if not len(examples):
        raise DataError(f"no example of the {name} split is of one of the chosen classes")
    if (counts > 0).sum() == 1:
        raise DataError(
            f"all {len(examples)} examples of the {name} split are of the class "
            f"'{names[int(counts.argmax())]}'",
            remedy="a file sorted by class is divided by {random: n} or {fraction: f, "
            "stratified: true}, not by {first: n}",
        )
    if name == "train" and not counts.all():
        empty = [names[number] for number in np.flatnonzero(counts == 0)]
        listed = ", ".join(f"'{each}'" for each in empty[:10])
        more = f" and {len(empty) - 10} more" if len(empty) > 10 else ""
        raise DataError(
            f"no example of the training split is of the class {listed}{more}",
            remedy="stratified: true, in data.validation, data.test and data.train_size, keeps "
            "some of every class; data.classes leaves classes out",
        )


def _scaled(examples: Examples, scaling: Scaling) -> Split:
    return Split(scaling.inputs(examples.inputs), scaling.targets(examples.targets))


def _refuse_what_is_no_number(name: str, examples: Examples, source: Source) -> None:
    for what, array in (("inputs", examples.inputs), ("targets", examples.targets)):
        if not np.issubdtype(array.dtype, np.floating):
            continue
        filled = source.gaps != "refuse" and what == "inputs"
        good = ~np.isinf(array) if filled else np.isfinite(array)
        if not good.all():
            first = tuple(int(i) for i in np.argwhere(~good)[0])
            row, *inside = first
            where = f", feature {inside[0]}" if len(inside) == 1 else f" at {inside}"
            raise DataError(
                f"{_file(source)}{what} of the {name} split are missing or not finite: "
                f"{(~good).sum():,} of {good.size:,}, the first, {array[first]}, in "
                f"{examples.name_of(row)}{where if inside else ''}",
                remedy="correct the data, or leave these examples out",
            )


def _file(source: Source) -> str:
    return f"{source.path}: " if source.path else ""


def _fingerprint(*splits: Examples | None) -> str:
    digest = hashlib.sha256()
    for split in splits:
        for array in () if split is None else (split.inputs, split.targets):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _statistics(
    train: Examples, dataset: Dataset, source: Source, *, learns_targets: bool
) -> Scaling:
    inputs, fill = train.inputs, None
    if source.gaps != "refuse":
        if np.isnan(inputs).all(axis=0).any():
            raise DataError("an input column has no value in the training split at all")
        statistic = np.nanmean if source.gaps == "mean" else np.nanmedian
        fill = statistic(inputs, axis=0)
        inputs = np.where(np.isnan(inputs), fill, inputs)
    shift, scale = np.zeros(()), np.ones(())
    if dataset.standardize in ("per_feature", "per_channel"):
        shift, sd = _mean_and_sd(inputs, per_channel=dataset.standardize == "per_channel")
        scale = _nonzero(sd, near=shift)
    elif dataset.standardize == "range":
        by_column = 0 if inputs.ndim == 2 else None
        low = np.asarray(inputs.min(axis=by_column), "float64")
        high = np.asarray(inputs.max(axis=by_column), "float64")
        shift, scale = low, _nonzero(high - low, near=low)
    if train.targets.dtype == np.int64 or not learns_targets:
        return Scaling(shift, scale, fill)
    if train.targets.min() == train.targets.max():
        raise DataError(
            f"every training example has the target {train.targets[0]:g}: nothing can be learned"
        )
    target_sd = float(train.targets.std(dtype="float64"))
    target_mean = float(train.targets.mean(dtype="float64"))
    return Scaling(shift, scale, fill, target_mean, target_sd)


def _nonzero(scale: np.ndarray, *, near: np.ndarray) -> np.ndarray:
    """A feature that never varies is divided by 1: it becomes 0, not nan.

    Its mean, `near`, was rounded, so that its deviation is not always exactly 0.
    """
    return np.where(scale <= ROUNDING * np.abs(near), 1.0, scale)


def _mean_and_sd(inputs: np.ndarray, *, per_channel: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each feature, in float64 and by two passes.

    Per channel they are those of all its pixels: (C, 1, 1) for images (N, C, H, W), (1, 1) for grey
    ones (N, H, W), and those of each feature where there are no images.
    """
    total = len(inputs)
    parts = range(0, total, ROWS_AT_ONCE)
    pixels = tuple(range(inputs.ndim - 1))[-2:] if per_channel and inputs.ndim > 2 else ()
    whole = sum(inputs[i : i + ROWS_AT_ONCE].sum(axis=0, dtype="float64") for i in parts) / total
    mean = np.mean(whole, axis=pixels, keepdims=True)
    squares = np.zeros(inputs.shape[1:])
    for i in parts:
        squares += np.square(inputs[i : i + ROWS_AT_ONCE] - mean).sum(axis=0)
    return mean, np.sqrt(np.mean(squares / total, axis=pixels, keepdims=True))
