from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets

from dnnlab.choices.datasets.images import (
    IDX_FILES,
    Emnist,
    FashionMnist,
    Kmnist,
    Mnist,
    read_idx,
)
from dnnlab.errors import DataError
from tests.formats import EMNIST_FILES, idx, write_idx
from tests.support import needs_fashion_mnist

LIKE_MNIST = [Mnist, FashionMnist, Kmnist]


def emnist(folder: Path, split: str, labels: list[int]) -> Emnist:
    """Writes the four files of a split, and returns the dataset that reads them."""
    write_idx(folder, names=[f"emnist-{split}-{name}" for name in EMNIST_FILES], labels=labels)
    return Emnist.model_validate({"name": "emnist", "split": split, "folder": str(folder)})


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dataset", LIKE_MNIST)
def test_reading_the_four_files(dataset: type[Mnist], tmp_path: Path, zipped: bool) -> None:
    write_idx(tmp_path, zipped=zipped)
    source = dataset(folder=str(tmp_path)).read()
    assert source.train.inputs.shape == (6, 28, 28)
    assert source.train.inputs.dtype == np.uint8
    assert source.train.targets.tolist() == [0, 1, 2, 3, 4, 5]
    assert len(source.test) == 3
    random = np.random.default_rng(0)  # what the writer draws first
    np.testing.assert_array_equal(
        source.train.inputs, random.integers(0, 256, size=(6, 28, 28)).astype("uint8")
    )


@pytest.mark.parametrize("dataset", LIKE_MNIST)
def test_what_is_known_without_reading(dataset: type[Mnist]) -> None:
    signature = dataset().signature()
    assert (signature.input_shape, signature.num_outputs) == ((28, 28), 10)
    assert signature.task == "classification"


def test_class_names_are_torchvisions() -> None:
    assert list(FashionMnist().all_class_names()) == torchvision.datasets.FashionMNIST.classes
    assert list(Kmnist().all_class_names()) == torchvision.datasets.KMNIST.classes
    digits = [name.split(" - ")[0] for name in torchvision.datasets.MNIST.classes]
    assert list(Mnist().all_class_names()) == digits


@pytest.mark.parametrize("split", torchvision.datasets.EMNIST.splits)
def test_emnists_classes_are_torchvisions_without_its_empty_one(split: str) -> None:
    dataset = Emnist.model_validate({"name": "emnist", "split": split})
    theirs = torchvision.datasets.EMNIST.classes_split_dict[split]
    assert list(dataset.all_class_names()) == [name for name in theirs if name != "N/A"]
    assert dataset.signature().num_outputs == len(dataset.all_class_names())


def test_emnists_images_are_turned_upright(tmp_path: Path) -> None:
    dataset = emnist(tmp_path, "digits", list(range(9)))
    lying = read_idx(tmp_path / "emnist-digits-train-images-idx3-ubyte")
    source = dataset.read()
    assert source.train.inputs[2, 5, 20] == lying[2, 20, 5]
    np.testing.assert_array_equal(source.train.inputs, np.swapaxes(lying, 1, 2))
    assert source.train.targets.tolist() == [0, 1, 2, 3, 4, 5]


def test_emnists_letters_are_numbered_from_0(tmp_path: Path) -> None:
    source = emnist(tmp_path, "letters", [1, 26, 3, 4, 5, 6]).read()
    assert source.train.targets.tolist() == [0, 25, 2, 3, 4, 5]
    assert [source.class_names[i] for i in source.train.targets[:2]] == ["a", "z"]


def test_a_letter_numbered_0_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="label 0 of example 1 is not 1 to 26"):
        emnist(tmp_path, "letters", [1, 0, 3, 4, 5, 6]).read()


def test_one_split_of_emnist_is_not_taken_for_another(tmp_path: Path) -> None:
    emnist(tmp_path, "letters", [1] * 9)
    with pytest.raises(DataError, match="emnist-digits-train-images-idx3-ubyte"):
        Emnist(split="digits", folder=str(tmp_path)).read()


def test_a_file_that_is_missing_is_no_dataset(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / IDX_FILES[3]).unlink()
    with pytest.raises(DataError, match=r"mnist: the four files .* are not in"):
        Mnist(folder=str(tmp_path)).read()


def test_where_the_files_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the usual places is enough, and our own comes first."""
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    monkeypatch.setenv("DNNLAB_DATA", str(home))
    monkeypatch.chdir(here)
    places = [home / "mnist", home / "MNIST" / "raw", here / "data" / "MNIST" / "raw"]
    for place in reversed(places):
        write_idx(place)
        found = Mnist().locate()
        assert {path.resolve().parent for path in found} == {place}
    assert Path("/usr/share/datasets/fashion-mnist") in FashionMnist().places()
    assert Path("/usr/share/datasets/fashion-mnist") not in Mnist().places()


def test_a_label_out_of_range_is_named(tmp_path: Path) -> None:
    write_idx(tmp_path, labels=[0, 1, 10, 3, 4, 5])
    with pytest.raises(DataError, match="label 10 of example 2 is not 0 to 9$"):
        FashionMnist(folder=str(tmp_path)).read()
    write_idx(tmp_path, labels=[0, 1, 10, 3, 4, 11])
    with pytest.raises(DataError, match="not 0 to 9; other labels that are not: 1$") as caught:
        FashionMnist(folder=str(tmp_path)).read()
    assert caught.value.remedy == "fetch the files again"


def test_images_and_labels_of_different_number_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / IDX_FILES[1]).write_bytes(idx(np.zeros(5)))
    with pytest.raises(DataError, match=r"\(6, 28, 28\) images and \(5,\) labels do not fit"):
        Mnist(folder=str(tmp_path)).read()


@pytest.mark.parametrize("dataset", [Mnist, Emnist])
@pytest.mark.parametrize("shape", [(6, 28, 27), (6, 784), (6,)])
def test_images_of_another_shape_are_refused(
    dataset: type[Mnist], shape: tuple[int, ...], tmp_path: Path
) -> None:
    names = list(dataset().file_names())
    write_idx(tmp_path, names=names)
    (tmp_path / names[0]).write_bytes(idx(np.zeros(shape)))
    with pytest.raises(DataError, match="do not fit"):
        dataset(folder=str(tmp_path)).read()


def test_no_image_at_all_is_refused(tmp_path: Path) -> None:
    write_idx(tmp_path, counts=(6, 0))
    with pytest.raises(DataError, match="t10k-images-idx3-ubyte holds no image"):
        Mnist(folder=str(tmp_path)).read()


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


@pytest.mark.parametrize("dataset", LIKE_MNIST)
def test_what_is_downloaded_is_what_torchvision_knows(
    dataset: type[Mnist], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The four addresses and checksums are torchvision's; what comes is read from there."""
    asked = {}

    def served(urls: list[str], md5: str, folder: Path) -> Path:
        asked[urls[0]] = md5
        write_idx(folder, zipped=True)
        return folder / urls[0].rpartition("/")[2]

    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "home"))
    monkeypatch.setattr(dataset, "usual_places", lambda self: [tmp_path / "nothing here"])
    monkeypatch.setattr("dnnlab.choices.datasets.images.fetch", served)
    assert len(dataset().read().train) == 6
    theirs = getattr(torchvision.datasets, dataset.known_as)
    assert asked == {theirs.mirrors[0] + name: md5 for name, md5 in theirs.resources}


def test_emnist_downloads_its_archive_and_takes_one_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def served(urls: list[str], md5: str, folder: Path) -> Path:
        assert (urls, md5) == ([torchvision.datasets.EMNIST.url], torchvision.datasets.EMNIST.md5)
        split = "letters"
        emnist(tmp_path / "gzip", split, [1] * 9)
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "gzip.zip", "w") as archive:
            for path in (tmp_path / "gzip").iterdir():
                archive.writestr(f"gzip/{path.name}.gz", gzip.compress(path.read_bytes()))
        return folder / "gzip.zip"

    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dnnlab.choices.datasets.images.fetch", served)
    assert len(Emnist(split="letters").read().train) == 6
    monkeypatch.setattr("dnnlab.choices.datasets.images.fetch", None)  # the second time it is here
    assert len(Emnist(split="letters").read().train) == 6


@needs_fashion_mnist
def test_the_real_files() -> None:
    source = FashionMnist().read()
    assert (len(source.train), len(source.test)) == (60_000, 10_000)
    assert np.bincount(source.train.targets).tolist() == [6000] * 10
    assert np.bincount(source.test.targets).tolist() == [1000] * 10
    # The published means over the training images: 72.94 of 255, sd 90.02.
    assert source.train.inputs.mean() == pytest.approx(72.94, abs=0.01)
    assert source.train.inputs.std() == pytest.approx(90.02, abs=0.01)
