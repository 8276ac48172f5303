"""Grey images of 28 x 28 pixels in IDX files: MNIST and the datasets made to stand in for it."""

import gzip
import math
import string
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.datasets.dataset import Source
from dnnlab.choices.datasets.downloads import Downloadable, data_home, fetch, unpack
from dnnlab.errors import DataError

if TYPE_CHECKING:
    import numpy as np

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


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


class IdxImages(Downloadable):
    """Four IDX files: images and labels, for training and test. Abstract."""

    image_shape = (28, 28)
    known_as: ClassVar[str]
    """Its name among torchvision's datasets, and of the folder that torchvision makes for it."""

    def file_names(self) -> tuple[str, ...]:
        """Returns the names of the four files, without .gz."""
        return IDX_FILES

    def wanted(self) -> str:
        """Returns the first name for all four."""
        return f"the four files {self.file_names()[0]}[.gz] ..."

    def usual_places(self) -> list[Path]:
        """Returns our folder, then torchvision's."""
        return [
            data_home() / self.name,
            data_home() / self.known_as / "raw",
            Path("data") / self.known_as / "raw",
        ]

    def files_in(self, place: Path) -> tuple[Path, ...] | None:
        """Returns the four files if they are all there, each gzipped or not."""
        found = []
        for name in self.file_names():
            both = (place / name, place / f"{name}.gz")
            found += [path for path in both if path.is_file()][:1]
        return tuple(found) if len(found) == 4 else None

    def download(self, into: Path) -> None:
        """Fetches the four gzipped files from the addresses that torchvision knows."""
        import torchvision.datasets

        known = getattr(torchvision.datasets, self.known_as)
        for name, md5 in known.resources:
            fetch([mirror + name for mirror in known.mirrors], md5, into)

    def read(self) -> Source:
        """Reads the four IDX files."""
        files = self.locate()
        train, test = (
            self.examples(self._upright(read_idx(images)), read_idx(labels), images)
            for images, labels in (files[:2], files[2:])
        )
        return Source(train, test, class_names=self.all_class_names())

    def _upright(self, images: "np.ndarray") -> "np.ndarray":
        return images


class Mnist(IdxImages):
    """70,000 grey images of 28 x 28 pixels, values 0 to 255, of handwritten digits.

        60,000 training (validation held out of them) + 10,000 test

    Source: LeCun, Bottou, Bengio and Haffner, 1998, section III.
    Keras: mnist. PyTorch: torchvision's MNIST, whose addresses are used for the download.
    """

    name: Literal["mnist"] = "mnist"
    known_as = "MNIST"

    def all_class_names(self) -> tuple[str, ...]:
        """Returns the digits."""
        return tuple(string.digits)


class FashionMnist(IdxImages):
    """70,000 grey images of 28 x 28 pixels, values 0 to 255, ten kinds of clothing.

        60,000 training (validation held out of them) + 10,000 test

    Source: Xiao, Rasul and Vollgraf, 2017.
    Keras: fashion_mnist. PyTorch: torchvision's FashionMNIST, whose addresses are used for the
    download.
    """

    name: Literal["fashion_mnist"] = "fashion_mnist"
    known_as = "FashionMNIST"
    hint = "on Debian or Ubuntu: apt-get install dataset-fashion-mnist"

    def usual_places(self) -> list[Path]:
        """Returns our folder, torchvision's, and that of Debian's dataset-fashion-mnist."""
        return [*super().usual_places(), Path("/usr/share/datasets/fashion-mnist")]

    def all_class_names(self) -> tuple[str, ...]:
        """Returns the kinds of clothing."""
        return CLOTHING


class Kmnist(IdxImages):
    """70,000 grey images of 28 x 28 pixels, values 0 to 255, ten cursive Japanese characters.

        60,000 training (validation held out of them) + 10,000 test

    Source: Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto and Ha, 2018: Kuzushiji-MNIST.
    Keras: not among its datasets. PyTorch: torchvision's KMNIST, whose addresses are used for the
    download.
    """

    name: Literal["kmnist"] = "kmnist"
    known_as = "KMNIST"

    def all_class_names(self) -> tuple[str, ...]:
        """Returns the sounds of the characters."""
        return ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


class Emnist(IdxImages):
    """Grey images of 28 x 28 pixels, values 0 to 255, of handwritten digits and letters.

        byclass 814,255   bymerge 814,255   balanced 131,600
        letters 145,600   digits  280,000   mnist     70,000

    byclass has 62 classes: digits, capitals, small letters. bymerge and balanced have 47: letters
    whose two forms look alike are one class, named by the capital. letters has 26, both forms
    together, named by the small letter. The files hold every image transposed, and number the
    letters from 1; here images stand upright and classes are numbered from 0.

    Source: Cohen, Afshar, Tapson and van Schaik, 2017, table II; the counts are those of the files.
    Keras: not among its datasets. PyTorch: torchvision's EMNIST, whose address is used for the
    download, leaves the images transposed and gives letters a 27th class that is empty.
    """

    name: Literal["emnist"] = "emnist"
    known_as = "EMNIST"
    split: Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] = "balanced"
    """Which of the six ways to choose and group the characters."""

    def first_label(self) -> int:
        """Returns 1 for letters, else 0."""
        return 1 if self.split == "letters" else 0

    def all_class_names(self) -> tuple[str, ...]:
        """Returns the characters."""
        if self.split in ("digits", "mnist"):
            return tuple(string.digits)
        if self.split == "letters":
            return tuple(string.ascii_lowercase)
        small = string.ascii_lowercase if self.split == "byclass" else "abdefghnqrt"
        return tuple(string.digits + string.ascii_uppercase + small)

    def file_names(self) -> tuple[str, ...]:
        """Returns the names of the split's four files."""
        return tuple(
            f"emnist-{self.split}-{part}-{kind}-ubyte"
            for part in ("train", "test")
            for kind in ("images-idx3", "labels-idx1")
        )

    def usual_places(self) -> list[Path]:
        """Returns our folder, what its archive unpacks to, then torchvision's."""
        ours, *others = super().usual_places()
        return [ours, ours / "gzip", *others]

    def download(self, into: Path) -> None:
        """Fetches the archive of all splits, and keeps it beside the four files of this one."""
        from torchvision.datasets import EMNIST

        archive = fetch([EMNIST.url], EMNIST.md5, into)
        unpack(archive, [f"gzip/{name}.gz" for name in self.file_names()], into)

    def _upright(self, images: "np.ndarray") -> "np.ndarray":
        import numpy as np

        if images.ndim != 3:
            return images  # which is refused for its shape
        return np.ascontiguousarray(images.transpose(0, 2, 1))


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
