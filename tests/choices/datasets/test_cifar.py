from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets

from dnnlab.choices.datasets.cifar import Cifar10, Cifar100
from dnnlab.errors import DataError
from tests.formats import (
    cifar_binary,
    cifar_pickle,
    colours,
    malicious_pickle,
    write_cifar10,
    write_cifar100,
)


def write_python_version(folder: Path) -> None:
    """Writes what write_cifar10 writes, as the Python version."""
    folder.mkdir(parents=True)
    for number, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        labels = [(number + row) % 10 for row in range(4)]
        (folder / name).write_bytes(cifar_pickle(colours(4), labels=labels))


def test_the_binary_version_of_cifar10(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    source = Cifar10(folder=str(tmp_path)).read()
    assert source.train.inputs.shape == (20, 3, 32, 32)
    assert source.train.inputs.dtype == np.uint8
    for batch in range(5):
        rows = slice(4 * batch, 4 * batch + 4)
        np.testing.assert_array_equal(source.train.inputs[rows], colours(4))
        assert source.train.targets[rows].tolist() == [batch, batch + 1, batch + 2, batch + 3]
    assert source.test.targets.tolist() == [5, 6, 7, 8]
    assert source.class_names[0] == "airplane"


def test_a_pixel_stands_where_the_page_of_the_dataset_says(tmp_path: Path) -> None:
    """Label, 1,024 red, 1,024 green, 1,024 blue bytes; in each the first 32 are the first row."""
    write_cifar10(tmp_path)
    record = bytearray(3073)
    record[0], record[1 + 2 * 1024 + 3 * 32 + 7] = 9, 200
    (tmp_path / "test_batch.bin").write_bytes(bytes(record))
    test = Cifar10(folder=str(tmp_path)).read().test
    assert test.targets.tolist() == [9]
    assert test.inputs[0, 2, 3, 7] == 200
    assert test.inputs.sum(dtype="int64") == 200


@pytest.mark.parametrize(
    ("mode", "labels", "last"), [("fine", [95, 96, 97, 98, 99], "worm"), ("coarse", range(5), None)]
)
def test_cifar100_has_two_labels(
    mode: str, labels: list[int], last: str | None, tmp_path: Path
) -> None:
    write_cifar100(tmp_path)
    dataset = Cifar100.model_validate(
        {"name": "cifar100", "label_mode": mode, "folder": str(tmp_path)}
    )
    source = dataset.read()
    np.testing.assert_array_equal(source.train.inputs, colours(5))
    assert source.train.targets.tolist() == list(labels)
    assert len(source.test) == 3
    if last is not None:
        assert source.class_names[source.train.targets[4]] == last


def test_class_names() -> None:
    """As many as the page of the dataset lists, each once, in the order of the alphabet."""
    fine, coarse = Cifar100().all_class_names(), Cifar100(label_mode="coarse").all_class_names()
    for names, count in ((Cifar10().all_class_names(), 10), (fine, 100), (coarse, 20)):
        assert len(set(names)) == count
        assert list(names) == sorted(names)
    assert Cifar10().signature().input_shape == (3, 32, 32)
    assert Cifar100().signature().num_outputs == 100
    assert Cifar100(label_mode="coarse").signature().num_outputs == 20


def test_the_python_version_gives_the_same(tmp_path: Path) -> None:
    write_cifar10(tmp_path / "cifar-10-batches-bin")
    write_python_version(tmp_path / "other" / "cifar-10-batches-py")
    binary = Cifar10(folder=str(tmp_path)).read()
    python = Cifar10(folder=str(tmp_path / "other")).read()
    itself = Cifar10(folder=str(tmp_path / "other" / "cifar-10-batches-py")).read()
    for found in (python, itself):
        for one, other in ((binary.train, found.train), (binary.test, found.test)):
            np.testing.assert_array_equal(one.inputs, other.inputs)
            np.testing.assert_array_equal(one.targets, other.targets)


def test_the_python_version_of_cifar100(tmp_path: Path) -> None:
    for name in ("train", "test"):
        content = cifar_pickle(colours(2), fine_labels=[99, 3], coarse_labels=[19, 4])
        (tmp_path / name).write_bytes(content)
    assert Cifar100(folder=str(tmp_path)).read().train.targets.tolist() == [99, 3]
    coarse = Cifar100(folder=str(tmp_path), label_mode="coarse")
    assert coarse.read().train.targets.tolist() == [19, 4]


def test_the_binary_version_is_preferred(tmp_path: Path) -> None:
    """So that nothing that could be malicious is opened without need."""
    write_python_version(tmp_path / "cifar-10-batches-py")
    write_cifar10(tmp_path / "cifar-10-batches-bin")
    found = Cifar10(folder=str(tmp_path)).locate()
    assert {path.parent.name for path in found} == {"cifar-10-batches-bin"}


def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path: Path) -> None:
    write_python_version(tmp_path / "cifar-10-batches-py")
    marker = tmp_path / "marker"
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(malicious_pickle(marker))
    with pytest.raises(DataError, match="data_batch_3 cannot be read: it names"):
        Cifar10(folder=str(tmp_path)).read()
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (cifar_pickle(colours(2), labels=[1, 10]), "label 10 of example 1 is not 0 to 9"),
        (cifar_pickle(colours(2), labels=[1]), "do not fit"),
        (cifar_pickle(colours(2), labels=[1, -1]), "has no list `labels` of small numbers"),
        (cifar_pickle(colours(2), others=[1, 2]), "has no list `labels`"),
        (pickle.dumps({"labels": [1]}), "has no array `data` of bytes"),
        (
            pickle.dumps({"labels": [1], "data": np.zeros((1, 9), "uint8")}, protocol=4),
            "has no array `data` of bytes, 3072 an image",
        ),
    ],
)
def test_a_pickle_of_other_things_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    write_python_version(tmp_path / "cifar-10-batches-py")
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        Cifar10(folder=str(tmp_path)).read()
    assert "test_batch" in caught.value.message


def test_a_label_out_of_range_names_its_file(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_2.bin").write_bytes(cifar_binary(colours(2), [3, 255]))
    with pytest.raises(DataError, match=r"data_batch_2.bin: label 255 of example 1 is not 0 to 9"):
        Cifar10(folder=str(tmp_path)).read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (cifar_binary(colours(2), [3, 4])[:-1], "has 6145 bytes, no multiple of 3073"),
        (b"", "no im"),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    (tmp_path / "data_batch_5.bin").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        Cifar10(folder=str(tmp_path)).read()
    assert "data_batch_5.bin" in caught.value.message


@pytest.mark.parametrize(
    ("dataset", "folder", "write", "theirs"),
    [
        (Cifar10, "cifar-10-batches-bin", write_cifar10, torchvision.datasets.CIFAR10),
        (Cifar100, "cifar-100-binary", write_cifar100, torchvision.datasets.CIFAR100),
    ],
)
def test_the_binary_archive_is_downloaded(
    dataset: type[Cifar10],
    folder: str,
    write: object,
    theirs: type[torchvision.datasets.CIFAR10],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It lies beside torchvision's Python archive, and only its images are kept."""
    asked = []

    def served(urls: list[str], md5: str, into: Path) -> Path:
        asked.append((urls, md5))
        assert callable(write)
        write(tmp_path / "made")
        into.mkdir(parents=True)
        with tarfile.open(into / "archive.tar.gz", "w:gz") as archive:
            for path in (tmp_path / "made").iterdir():
                archive.add(path, f"{folder}/{path.name}")
            evil = tarfile.TarInfo("../evil")
            archive.addfile(evil, io.BytesIO())
        return into / "archive.tar.gz"

    monkeypatch.setenv("DNNLAB_DATA", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr("dnnlab.choices.datasets.cifar.fetch", served)
    assert len(dataset().read().train) > 0
    dataset().read()  # the second time it is here
    ((urls, md5),) = asked
    assert urls == [theirs.url.replace("python", "binary")]
    assert urls[0].endswith("-binary.tar.gz")
    assert md5 != theirs.tgz_md5
    home = tmp_path / "home" / dataset().name
    assert {path.name for path in home.iterdir()} == {f"{name}.bin" for name in dataset().batches}
    assert not (tmp_path / "home" / "evil").exists()
