from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets
from scipy.io import savemat

from dnnlab.choices.datasets.svhn import FILES, Svhn
from dnnlab.errors import DataError
from tests.formats import colours, write_svhn


def replaced(folder: Path, **content: object) -> Svhn:
    """Writes both files, the test's with other content, and returns what reads them."""
    write_svhn(folder)
    savemat(folder / FILES[1], content)
    return Svhn(folder=str(folder))


def test_reading_both_files(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    source = Svhn(folder=str(tmp_path)).read()
    assert source.train.inputs.dtype == np.uint8
    np.testing.assert_array_equal(source.train.inputs, colours(12))
    np.testing.assert_array_equal(source.test.inputs, colours(4))
    assert source.train.inputs.flags.c_contiguous
    assert source.class_names == tuple("0123456789")


def test_the_label_10_is_the_digit_0(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    train = Svhn(folder=str(tmp_path)).read().train
    assert train.targets.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert train.targets.dtype == np.int64


def test_what_is_known_without_reading() -> None:
    signature = Svhn().signature()
    assert (signature.input_shape, signature.num_outputs) == ((3, 32, 32), 10)


@pytest.mark.parametrize("label", [0, 11])
def test_a_label_out_of_range_is_named(label: int, tmp_path: Path) -> None:
    labels = np.array([[10], [label], [1]], dtype=np.uint8)
    dataset = replaced(tmp_path, X=colours(3).transpose(2, 3, 1, 0), y=labels)
    with pytest.raises(DataError, match=rf"test_32x32.mat: label {label} of example 1 is not 1 to"):
        dataset.read()


@pytest.mark.parametrize(
    "content",
    [
        {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.ones((3, 1), np.uint8)},
        {"X": np.zeros((32, 32, 3, 2)), "y": np.ones((2, 1), np.uint8)},
        {"X": np.zeros((32, 32, 3), np.uint8), "y": np.ones((3, 1), np.uint8)},
        {"X": np.zeros((32, 32, 3, 2), np.uint8), "y": np.array(["a", "b"], dtype=object)},
    ],
    ids=["lengths", "floats", "no channels", "objects"],
)
def test_other_arrays_are_refused(content: dict[str, np.ndarray], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test_32x32.mat: X is .* not images of bytes"):
        replaced(tmp_path, **content).read()


def test_labels_out_of_range_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    content = {"X": np.zeros((32, 32, 3, 4), np.uint8), "y": np.array([[1], [0], [10], [11]])}
    with pytest.raises(
        DataError, match="label 0 of example 1 is not 1 to 10; other labels that are not: 1$"
    ):
        replaced(tmp_path, **content).read()


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    content = {"X": np.zeros((28, 32, 3, 2), np.uint8), "y": np.ones((2, 1), np.uint8)}
    with pytest.raises(DataError, match="do not fit"):
        replaced(tmp_path, **content).read()


def test_a_file_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no images X with labels y"):
        replaced(tmp_path, Z=np.zeros(3)).read()


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    path = tmp_path / FILES[0]
    whole = path.read_bytes()
    for content in (b"", b"no matlab file" * 20, whole[:-1000], whole[:150]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"train_32x32.mat") as caught:
            Svhn(folder=str(tmp_path)).read()
        assert caught.value.__cause__ is None or caught.value.remedy == "fetch it again"


def test_one_of_two_files_is_no_dataset(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    (tmp_path / FILES[1]).unlink()
    with pytest.raises(DataError, match=r"svhn: train_32x32.mat and test_32x32.mat are not in"):
        Svhn(folder=str(tmp_path)).read()


def test_both_files_are_downloaded_and_not_the_extra_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def served(urls: list[str], md5: str, into: Path) -> Path:
        asked.append((*urls, md5))
        write_svhn(into)
        return into

    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dnnlab.choices.datasets.svhn.fetch", served)
    assert len(Svhn().read().train) == 12
    theirs = torchvision.datasets.SVHN.split_list
    assert asked == [(theirs[split][0], theirs[split][2]) for split in ("train", "test")]
