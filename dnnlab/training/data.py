"""The data as the engine wants them: split, scaled, whole, and resident on the device."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnnlab.choices.datasets import Dataset, Examples, Signature, Source
from dnnlab.errors import DataError

ROWS_AT_ONCE = 4096
"""Rows per step where float64 copies of the data are made, so that memory stays small."""


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

    def splits(self) -> dict[str, Split]:
        """Returns the splits by name."""
        both = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in both.items() if split is not None}

    def to(self, device: torch.device, dtype: torch.dtype) -> Data:
        """Returns the data with every split on a device."""
        held = None if self.validation is None else self.validation.to(device, dtype)
        train, test = self.train.to(device, dtype), self.test.to(device, dtype)
        return replace(self, train=train, validation=held, test=test)

    def reconstructing(self) -> Data:
        """Returns the data with the inputs (N, features) as targets; they share their memory."""

        def own(split: Split) -> Split:
            return Split(split.inputs, split.inputs.flatten(1))

        held = None if self.validation is None else own(self.validation)
        return replace(self, train=own(self.train), validation=held, test=own(self.test))

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
        }


def prepare(dataset: Dataset) -> Data:
    """Reads a dataset, holds out its validation split, scales it. Raises DataError."""
    source = dataset.read()
    train, validation = source.train, None
    if dataset.validation is not None:
        train, validation = dataset.validation.divide(train, "validation")
    for name, split in (("train", train), ("validation", validation), ("test", source.test)):
        if split is not None:
            _refuse_what_is_no_number(name, split, gaps_are_filled=source.fill_gaps)
    fingerprint = _fingerprint(train, validation, source.test)
    scaling = _statistics(train, dataset, source)
    return Data(
        train=_scaled(train, scaling),
        validation=None if validation is None else _scaled(validation, scaling),
        test=_scaled(source.test, scaling),
        signature=_signature(source, dataset),
        scaling=scaling,
        fingerprint=fingerprint,
        class_names=source.class_names,
        columns=source.columns,
    )


def _signature(source: Source, dataset: Dataset) -> Signature:
    outputs = len(source.class_names) or 1
    return Signature(source.train.inputs.shape[1:], outputs, dataset.task_of_data)


def _scaled(examples: Examples, scaling: Scaling) -> Split:
    return Split(scaling.inputs(examples.inputs), scaling.targets(examples.targets))


def _refuse_what_is_no_number(name: str, examples: Examples, *, gaps_are_filled: bool) -> None:
    for what, array in (("inputs", examples.inputs), ("targets", examples.targets)):
        if not np.issubdtype(array.dtype, np.floating):
            continue
        filled = gaps_are_filled and what == "inputs"
        if not (~np.isinf(array) if filled else np.isfinite(array)).all():
            raise DataError(
                f"{what} of the {name} split are missing or not finite", remedy="correct the data"
            )


def _fingerprint(*splits: Examples | None) -> str:
    digest = hashlib.sha256()
    for split in splits:
        for array in () if split is None else (split.inputs, split.targets):
            digest.update(f"{array.shape}{array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _statistics(train: Examples, dataset: Dataset, source: Source) -> Scaling:
    inputs, fill = train.inputs, None
    if source.fill_gaps:
        if np.isnan(inputs).all(axis=0).any():
            raise DataError("an input column has no value in the training split at all")
        fill = np.nanmean(inputs, axis=0)
        inputs = np.where(np.isnan(inputs), fill, inputs)
    shift, scale = np.zeros(()), np.ones(())
    if dataset.standardize == "per_feature":
        shift, sd = _mean_and_sd(inputs)
        scale = _nonzero(sd)
    elif dataset.standardize == "range":
        by_column = 0 if source.columns else None
        low = np.asarray(inputs.min(axis=by_column), "float64")
        high = np.asarray(inputs.max(axis=by_column), "float64")
        shift, scale = low, _nonzero(high - low)
    if train.targets.dtype == np.int64:
        return Scaling(shift, scale, fill)
    target_sd = float(_nonzero(train.targets.std(dtype="float64")))
    target_mean = float(train.targets.mean(dtype="float64"))
    return Scaling(shift, scale, fill, target_mean, target_sd)


def _nonzero(scale: np.ndarray | np.floating[Any]) -> np.ndarray:
    """A feature that never varies is divided by 1: it becomes 0, not nan."""
    return np.where(scale == 0, 1.0, scale)


def _mean_and_sd(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each feature, in float64 and by two passes."""
    total = len(inputs)
    parts = range(0, total, ROWS_AT_ONCE)
    mean = sum(inputs[i : i + ROWS_AT_ONCE].sum(axis=0, dtype="float64") for i in parts) / total
    squares = np.zeros(inputs.shape[1:])
    for i in parts:
        squares += np.square(inputs[i : i + ROWS_AT_ONCE] - mean).sum(axis=0)
    return np.asarray(mean), np.sqrt(squares / total)
