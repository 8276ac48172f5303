"""House numbers in MATLAB files: found on this machine, or else downloaded."""

import string
from pathlib import Path
from typing import Literal

from dnnlab.choices.datasets.dataset import Examples, Source, Standardization
from dnnlab.choices.datasets.downloads import Downloadable, data_home, fetch
from dnnlab.errors import DataError

FILES = ("train_32x32.mat", "test_32x32.mat")


class Svhn(Downloadable):
    """99,289 colour images of 32 x 32 pixels, values 0 to 255: digits of house numbers.

        73,257 training (validation held out of them) + 26,032 test

    Inputs have shape (3, 32, 32). The files write the digit 0 as 10; here it is class 0. The easier
    531,131 images of `extra` are left out.

    Source: Netzer, Wang, Coates, Bissacco, Wu and Ng, 2011: format 2, cropped digits.
    Keras: not among its datasets. PyTorch: torchvision's SVHN, whose addresses are used for the
    download.
    """

    name: Literal["svhn"] = "svhn"
    standardize: Standardization = "per_channel"
    """As for all data; per_channel is usual where what is seen may stand anywhere."""
    image_shape = (3, 32, 32)

    def all_class_names(self) -> tuple[str, ...]:
        """Returns the digits."""
        return tuple(string.digits)

    def wanted(self) -> str:
        """Returns the names of both files."""
        return " and ".join(FILES)

    def usual_places(self) -> list[Path]:
        """Returns our folder, then the roots that people give to torchvision."""
        return [data_home() / "svhn", data_home(), Path("data") / "SVHN", Path("data")]

    def files_in(self, place: Path) -> tuple[Path, ...] | None:
        """Returns both files if they are there."""
        found = tuple(place / name for name in FILES)
        return found if all(path.is_file() for path in found) else None

    def download(self, into: Path) -> None:
        """Fetches both files from the addresses that torchvision knows."""
        from torchvision.datasets import SVHN

        for split in ("train", "test"):
            url, _, md5 = SVHN.split_list[split]
            fetch([url], md5, into)

    def read(self) -> Source:
        """Reads both files."""
        train, test = map(self._read, self.locate())
        return Source(train, test, class_names=self.all_class_names())

    def _read(self, path: Path) -> Examples:
        import numpy as np
        from scipy.io import loadmat

        try:
            content = loadmat(path, variable_names=["X", "y"])
        except Exception as error:  # scipy raises nearly anything at a damaged file
            raise DataError(f"{path} cannot be read: {error}", remedy="fetch it again") from error
        if not {"X", "y"} <= content.keys():
            raise DataError(f"{path} has no images X with labels y")
        images, labels = np.asarray(content["X"]), np.asarray(content["y"])
        plain = images.dtype == np.uint8 and labels.dtype.kind in "uif" and images.ndim == 4
        if not plain or labels.size != images.shape[3]:
            raise DataError(
                f"{path}: X is {images.dtype} {images.shape} and y {labels.dtype} {labels.shape}, "
                f"not images of bytes (32, 32, 3, N) with N labels"
            )
        upright = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
        digits = labels.reshape(-1).astype("int64")
        wrong = (digits < 1) | (digits > 10)
        if wrong.any():
            row, others = int(wrong.argmax()), int(wrong.sum()) - 1
            more = f"; other labels that are not: {others:,}" if others else ""
            raise DataError(
                f"{path}: label {digits[row]} of example {row} is not 1 to 10{more}",
                remedy="fetch it again",
            )
        return self.examples(upright, np.where(digits == 10, 0, digits), path)
