"""Datasets of images in known files: found on this machine, or else downloaded. Nothing is run.

torchvision knows the addresses and checksums and fetches; the bytes are read by our own code.
"""

import os
import tarfile
import zipfile
from abc import abstractmethod
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

from dnnlab import disk
from dnnlab.choices.datasets.dataset import Dataset, Examples, Signature
from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.spec import InputPath

if TYPE_CHECKING:
    import numpy as np


def data_home() -> Path:
    """Returns where downloads go: $DNNLAB_DATA, or ~/.cache/dnnlab."""
    return Path(os.environ.get("DNNLAB_DATA") or "~/.cache/dnnlab").expanduser()


class Downloadable(Dataset):
    """Images of one size in known files, each with the number of its class. Abstract."""

    image_shape: ClassVar[tuple[int, ...]]
    """The shape of one image."""
    hint: ClassVar[str] = ""
    """Another way to get the files, in an error's remedy."""

    folder: InputPath | None = None
    """Where the files lie; by default they are looked for, and downloaded if they are nowhere."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    @abstractmethod
    def all_class_names(self) -> tuple[str, ...]:
        """Returns the name of every class, in the order of their numbers in the files."""

    def known_class_names(self) -> tuple[str, ...]:
        """Returns the same: they do not depend on the files."""
        return self.all_class_names()

    @abstractmethod
    def usual_places(self) -> list[Path]:
        """Returns the folders where people have the files, in the order of looking."""

    @abstractmethod
    def wanted(self) -> str:
        """Returns what is looked for, in words."""

    @abstractmethod
    def files_in(self, place: Path) -> tuple[Path, ...] | None:
        """Returns the files if the folder has them all."""

    @abstractmethod
    def download(self, into: Path) -> None:
        """Fetches the files into a folder. Raises OSError."""

    def first_label(self) -> int:
        """Returns the number that the files give to the first class."""
        return 0

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature(self.image_shape, len(self.all_class_names()), "classification")

    def places(self) -> list[Path]:
        """Returns the folders that are looked into, in order."""
        return self.usual_places() if self.folder is None else [Path(self.folder)]

    def find(self) -> tuple[Path, ...] | None:
        """Returns the files in the first folder that has them all, or None."""
        return next(filter(None, map(self.files_in, self.places())), None)

    def locate(self) -> tuple[Path, ...]:
        """Returns the files in the first folder that has them all, or downloads them."""
        if found := self.find():
            return found
        looked = ", ".join(str(place) for place in self.places())
        missing = f"{self.name}: {self.wanted()} are not in {looked}"
        if self.folder is not None:
            raise DataError(missing, remedy="correct data.folder, or leave it out")
        try:
            self.download(data_home() / self.name)
        except OSError as error:
            hint = f"{self.hint}; " if self.hint else ""
            raise DataError(
                f"{missing}, and the download failed: {error}",
                remedy=f"put the files into one of these folders, or name theirs in data.folder; "
                f"{hint}`data: digits` needs no download",
            ) from error
        found = self.files_in(data_home() / self.name)
        if found is None:
            raise DataError(f"{missing}, although the download succeeded")
        return found

    def examples(self, images: "np.ndarray", labels: "np.ndarray", path: Path) -> Examples:
        """Returns the examples of a file. Raises DataError if the two do not fit this dataset."""
        if images.shape[1:] != self.image_shape or labels.shape != images.shape[:1]:
            raise DataError(f"{path}: {images.shape} images and {labels.shape} labels do not fit")
        if not len(labels):
            raise DataError(f"{path} holds no image")
        first = self.first_label()
        last = first + len(self.all_class_names()) - 1
        wrong = (labels < first) | (labels > last)
        if wrong.any():
            row, others = int(wrong.argmax()), int(wrong.sum()) - 1
            more = f"; other labels that are not: {others:,}" if others else ""
            raise DataError(
                f"{path}: label {labels[row]} of example {row} is not {first} to {last}{more}",
                remedy="fetch the files again",
            )
        return Examples(images, labels.astype("int64") - first)


def fetch(urls: Sequence[str], md5: str, folder: Path) -> Path:
    """Downloads a file from the first address that gives it, and returns its path.

    The file is in `folder` under its name only once it is whole and its checksum is right; one
    that is there already is kept. Raises OSError with what each address answered.
    """
    from torchvision.datasets.utils import check_integrity, download_url

    name = urls[0].rpartition("/")[2]
    target = folder / name
    if check_integrity(target, md5):
        return target
    disk.make_folders(folder)
    answers = []
    for url in urls:
        with TemporaryDirectory(dir=folder, prefix="partial-") as partial:
            try:
                download_url(url, partial, name, md5)
                disk.rename_file(Path(partial) / name, target)
            except (OSError, RuntimeError, HTTPException) as error:
                answers.append(f"{url}: {error}")
                continue
        return target
    raise OSError("; ".join(answers))


def unpack(archive: Path, members: Sequence[str], folder: Path) -> None:
    """Writes these members of a .zip or .tar.gz into `folder`, under the last part of their names.

    Nothing else of the archive is written and no path in it is followed. A member is there only
    once it is whole. Raises OSError if the archive lacks one.
    """
    with TemporaryDirectory(dir=folder, prefix="partial-") as partial:
        names = [member.rpartition("/")[2] for member in members]
        try:
            if archive.suffix == ".zip":
                with zipfile.ZipFile(archive) as opened_zip:
                    for member, name in zip(members, names, strict=True):
                        disk.write_new(Path(partial) / name, opened_zip.read(member))
            else:
                with tarfile.open(archive) as opened_tar:
                    for member, name in zip(members, names, strict=True):
                        content = opened_tar.extractfile(member)
                        if content is None:
                            raise KeyError(f"{member} is no file")
                        disk.write_new(Path(partial) / name, content.read())
        except (KeyError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
            raise OSError(f"{archive}: {error}") from error
        for name in names:
            disk.rename_file(Path(partial) / name, folder / name)
