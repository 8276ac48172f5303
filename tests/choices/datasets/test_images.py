from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from dnnlab.choices.datasets.images import IDX_FILES, FashionMnist, read_idx
from dnnlab.errors import DataError
from tests.support import needs_fashion_mnist


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(f">BBBB{array.ndim}i", 0, 0, 8, array.ndim, *array.shape)
    return head + array.astype("uint8").tobytes()


def small_copy(folder: Path, *, labels: list[int] | None = None, zipped: bool = False) -> None:
    """Writes the four files with 6 training and 3 test images."""
    random = np.random.default_rng(0)
    for name, count in zip(IDX_FILES, (6, 6, 3, 3), strict=True):
        if "images" in name:
            content = idx(random.integers(0, 256, size=(count, 28, 28)))
        else:
            content = idx(np.array((labels or list(range(9)))[:count]))
        if zipped:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("zipped", [False, True])
def test_reading_the_four_files(tmp_path: Path, zipped: bool) -> None:
    small_copy(tmp_path, zipped=zipped)
    source = FashionMnist(folder=str(tmp_path)).read()
    assert source.train.inputs.shape == (6, 28, 28)
    assert source.train.inputs.dtype == np.uint8
    assert source.train.targets.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(source.test) == 3
    assert source.class_names[9] == "Ankle boot"


def test_a_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=str(tmp_path)) as caught:
        FashionMnist(folder=str(tmp_path)).read()
    assert "data.folder" in caught.value.remedy


def test_a_failed_download_says_where_one_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **settings: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path))
    monkeypatch.setattr("torchvision.datasets.FashionMNIST", fail)
    monkeypatch.setattr(FashionMnist, "places", lambda self: [tmp_path])
    with pytest.raises(DataError, match="no network") as caught:
        FashionMnist().read()
    assert str(tmp_path) in caught.value.message
    assert "digits` needs no download" in caught.value.remedy


def test_a_label_out_of_range_is_named(tmp_path: Path) -> None:
    small_copy(tmp_path, labels=[0, 1, 12, 3, 4, 5])
    with pytest.raises(DataError, match="label 12 of example 2"):
        FashionMnist(folder=str(tmp_path)).read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an IDX file"),
        (b"\x80\x04malicious", "is not an IDX file"),
        (idx(np.zeros((2, 3)))[:-1], r"has 17 bytes where its header \(2, 3\) promises 18"),
        (b"\x00\x00\x08\x03\x00\x00", "promises"),
        (struct.pack(">BBBBi", 0, 0, 8, 1, -5), "promises"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.gz"
    for content in (b"no zip", gzip.compress(idx(np.zeros(9)))[:-4], b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match="broken.gz"):
            read_idx(path)


@needs_fashion_mnist
def test_the_real_files() -> None:
    source = FashionMnist().read()
    assert (len(source.train), len(source.test)) == (60_000, 10_000)
    assert np.bincount(source.train.targets).tolist() == [6000] * 10
    assert np.bincount(source.test.targets).tolist() == [1000] * 10
    # The published means over the training images: 72.94 of 255, sd 90.02.
    assert source.train.inputs.mean() == pytest.approx(72.94, abs=0.01)
    assert source.train.inputs.std() == pytest.approx(90.02, abs=0.01)
