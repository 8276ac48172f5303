"""Image datasets in files: found on this machine, or else downloaded by torchvision."""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dnnlab.choices.datasets.dataset import Dataset, Examples, Signature, Source
from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.spec import InputPath

if TYPE_CHECKING:
    import numpy as np

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def data_home() -> Path:
    """Returns where downloads go: $DNNLAB_DATA, or ~/.cache/dnnlab."""
    return Path(os.environ.get("DNNLAB_DATA") or "~/.cache/dnnlab").expanduser()


def read_idx(path: Path) -> "np.ndarray":
    """Reads an IDX file of bytes (LeCun's MNIST format), gzipped or not.

    Raises DataError naming the file if its header or its length is wrong.
    """
    import numpy as np

    try:
        raw = path.read_bytes()
        content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise DataError(f"{path} is not an IDX file of bytes", remedy="fetch it again")
    header = 4 + 4 * content[3]
    sizes = content[4:header].ljust(header - 4, b"\xff")  # cut off: a size of -1 fits nothing
    shape = tuple(int(n) for n in np.frombuffer(sizes, dtype=">i4"))
    expected = header + math.prod(shape)
    if len(content) != expected or min(shape, default=0) < 0:
        raise DataError(
            f"{path} has {len(content)} bytes where its header {shape} promises {expected}",
            remedy="fetch it again",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


class FashionMnist(Dataset):
    """70,000 grey images of 28 x 28 pixels, values 0 to 255, ten kinds of clothing.

        60,000 training (validation held out of them) + 10,000 test

    Source: Xiao, Rasul and Vollgraf, 2017.
    Keras: fashion_mnist. PyTorch: torchvision's FashionMNIST, used for the download.
    """

    name: Literal["fashion_mnist"] = "fashion_mnist"
    folder: InputPath | None = None
    """Where the four IDX files lie, gzipped or not; by default they are looked for."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((28, 28), 10, "classification")

    def places(self) -> list[Path]:
        """Returns the folders that are looked into, in order."""
        if self.folder is not None:
            return [Path(self.folder)]
        return [
            data_home() / "fashion_mnist",
            data_home() / "FashionMNIST" / "raw",
            Path("data") / "FashionMNIST" / "raw",
            Path("/usr/share/datasets/fashion-mnist"),  # Debian's dataset-fashion-mnist
        ]

    def read(self) -> Source:
        """Reads the four IDX files from the first folder that has them, or downloads them."""
        files = self._find() or self._download()
        train, test = (
            self._examples(read_idx(images), read_idx(labels), images)
            for images, labels in (files[:2], files[2:])
        )
        return Source(train, test, class_names=CLOTHING)

    @staticmethod
    def _examples(images: "np.ndarray", labels: "np.ndarray", path: Path) -> Examples:
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            raise DataError(f"{path}: {images.shape} images and {labels.shape} labels do not fit")
        if len(labels) and labels.max() >= len(CLOTHING):
            row = int(labels.argmax())
            raise DataError(f"{path}: label {labels[row]} of example {row} is not 0 to 9")
        return Examples(images, labels.astype("int64"))

    def _find(self) -> list[Path] | None:
        for place in self.places():
            found = [
                next((p for p in (place / name, place / f"{name}.gz") if p.is_file()), None)
                for name in IDX_FILES
            ]
            if None not in found:
                return [path for path in found if path is not None]
        return None

    def _download(self) -> list[Path]:
        looked = ", ".join(str(place) for place in self.places())
        missing = f"fashion_mnist: the four files {IDX_FILES[0]}[.gz] ... are not in {looked}"
        if self.folder is not None:
            raise DataError(missing, remedy="correct data.folder, or leave it out")
        from torchvision.datasets import FashionMNIST

        try:
            FashionMNIST(str(data_home()), download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{missing}, and the download failed: {error}",
                remedy="put the files into one of these folders; on Debian or Ubuntu: "
                "apt-get install dataset-fashion-mnist; `data: digits` needs no download",
            ) from error
        found = self._find()
        if found is None:
            raise DataError(f"{missing}, although the download succeeded")
        return found


CLOTHING = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
