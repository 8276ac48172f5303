"""Datasets in the formats in which they are published, but small: what tests of reading read.

Written by the description of each format, by other code than what reads it.
"""

from __future__ import annotations

import gzip
import pickle
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from dnnlab.choices.datasets.images import IDX_FILES


def idx(array: np.ndarray) -> bytes:
    """Returns an IDX file of bytes."""
    head = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype("uint8").tobytes()


def write_idx(
    folder: Path,
    *,
    names: Sequence[str] = IDX_FILES,
    labels: Sequence[int] = tuple(range(9)),
    counts: tuple[int, int] = (6, 3),
    zipped: bool = False,
) -> None:
    """Writes the four files; the test's labels are the first of all labels too."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in zip(names, np.repeat(counts, 2), strict=True):
        if "images" in name:
            content = idx(random.integers(0, 256, size=(count, 28, 28)))
        else:
            content = idx(np.array(labels[:count]))
        path = folder / (f"{name}.gz" if zipped else name)
        path.write_bytes(gzip.compress(content) if zipped else content)


def colours(count: int) -> np.ndarray:
    """Returns images (N, 3, 32, 32) of random bytes."""
    return np.random.default_rng(count).integers(0, 256, size=(count, 3, 32, 32), dtype=np.uint8)


def cifar_binary(images: np.ndarray, *labels: Sequence[int]) -> bytes:
    """Returns a file of CIFAR's binary version: per image its label bytes, then its pixels."""
    rows = zip(images, *labels, strict=True)
    return b"".join(bytes(numbers) + image.tobytes() for image, *numbers in rows)


def write_cifar10(folder: Path, *, per_batch: int = 4) -> None:
    """Writes the six files of the binary version."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        labels = [(number + row) % 10 for row in range(per_batch)]
        (folder / f"{name}.bin").write_bytes(cifar_binary(colours(per_batch), labels))


def write_cifar100(folder: Path, *, counts: tuple[int, int] = (5, 3)) -> None:
    """Writes the two files of the binary version: coarse labels 0, 1, ..., fine 95, 96, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, count in zip(("train", "test"), counts, strict=True):
        coarse = [row % 20 for row in range(count)]
        fine = [(95 + row) % 100 for row in range(count)]
        (folder / f"{name}.bin").write_bytes(cifar_binary(colours(count), coarse, fine))


def cifar_pickle(images: np.ndarray, **labels: Sequence[int]) -> bytes:
    """Returns a file of CIFAR's Python version, with the opcodes that Python 2 wrote."""

    def text(word: bytes) -> bytes:
        return b"U" + bytes([len(word)]) + word  # SHORT_BINSTRING, Python 2's str

    def whole(number: int) -> bytes:
        return b"J" + struct.pack("<i", number)  # BININT

    data = images.reshape(len(images), -1).tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
        b"(K\x01(" + whole(len(images)) + whole(3072) + b"t"
        b"cnumpy\ndtype\n(" + text(b"u1") + b"K\x00K\x01tR"
        b"(K\x03" + text(b"|") + b"NNN" + whole(-1) + whole(-1) + b"K\x00tb"
        b"I00\nT" + struct.pack("<i", len(data)) + data + b"tb"  # I00 is False, T is BINSTRING
    )
    items = text(b"data") + array
    for word, numbers in labels.items():
        items += text(word.encode()) + b"](" + b"".join(map(whole, numbers)) + b"e"
    return b"\x80\x02}(" + items + b"u."


class Malicious:
    """Its pickle makes a folder when it is obeyed."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        import os

        return os.mkdir, (str(self.marker),)


def malicious_pickle(marker: Path) -> bytes:
    """Returns a pickled dictionary that makes `marker` when it is obeyed."""
    return pickle.dumps({"data": Malicious(marker), "labels": [0]})


def write_svhn(folder: Path, *, counts: tuple[int, int] = (12, 4)) -> None:
    """Writes both files, labels 1, 2, ..., 10, 1, ... as they are published."""
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    for name, count in zip(("train", "test"), counts, strict=True):
        labels = np.array([[row % 10 + 1] for row in range(count)], dtype=np.uint8)
        pixels = {"X": colours(count).transpose(2, 3, 1, 0), "y": labels}
        savemat(folder / f"{name}_32x32.mat", pixels)


def write_images(folder: Path, *, classes: Sequence[str] = ("cat", "dog"), count: int = 5) -> None:
    """Writes `count` PNG files per class, 12 x 8 pixels of a colour of their own."""
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for row in range(count):
            shade = (40 * number + row, 255 - row, 10 * row)
            Image.new("RGB", (12, 8), shade).save(folder / name / f"{row}.png")


EMNIST_FILES = tuple(name.replace("t10k", "test") for name in IDX_FILES)
SMALL: dict[str, Callable[[Path], None]] = {
    "mnist": lambda folder: write_idx(folder, labels=[i % 10 for i in range(90)], counts=(90, 20)),
    "emnist": lambda folder: write_idx(
        folder,
        names=[f"emnist-letters-{name}" for name in EMNIST_FILES],
        labels=[1 + i % 26 for i in range(90)],
        counts=(90, 20),
    ),
    "cifar10": lambda folder: write_cifar10(folder, per_batch=18),
    "cifar100": lambda folder: write_cifar100(folder, counts=(90, 20)),
    "svhn": lambda folder: write_svhn(folder, counts=(90, 20)),
    "image_folder": lambda folder: write_images(folder, count=50),
}
"""What a training can be tried on, by the name of the dataset whose format it is."""


def write_what_is_named(text: str, folder: Path) -> None:
    """Writes each of SMALL into the subfolder small_NAME if the text, a config, speaks of it."""
    for name in re.findall(r"small_(\w+)", text):
        SMALL[name](folder / f"small_{name}")
