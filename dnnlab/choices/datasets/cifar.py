"""CIFAR: colour images of 32 x 32 pixels, found on this machine or else downloaded."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab import disk
from dnnlab.choices.datasets.dataset import Examples, Source, Standardization
from dnnlab.choices.datasets.downloads import Downloadable, data_home, fetch, unpack
from dnnlab.choices.datasets.pickled import bytes_of, read_pickled
from dnnlab.errors import DataError

if TYPE_CHECKING:
    import numpy as np

PIXELS = 3 * 32 * 32


class Cifar(Downloadable):
    """CIFAR's binary version; its Python version is read where only that lies. Abstract."""

    standardize: Standardization = "per_channel"
    """As for all data; per_channel is usual where what is seen may stand anywhere."""
    image_shape = (3, 32, 32)
    binary_folder: ClassVar[str]
    python_folder: ClassVar[str]
    batches: ClassVar[tuple[str, ...]]
    """The files without .bin, the test's last."""
    md5: ClassVar[str]
    """Of the binary archive, as the dataset's page states it."""
    labels_per_image: ClassVar[int]

    @abstractmethod
    def label_position(self) -> int:
        """Returns which of the bytes before an image is its label."""

    @abstractmethod
    def label_word(self) -> str:
        """Returns the key of the labels in the Python version."""

    @abstractmethod
    def python_address(self) -> str:
        """Returns where torchvision finds the Python version; the binary one lies beside it."""

    def wanted(self) -> str:
        """Returns the folders of both versions."""
        return f"{self.binary_folder} (or {self.python_folder}) and its files"

    def usual_places(self) -> list[Path]:
        """Returns our folder, then the roots that people give to torchvision."""
        return [data_home() / self.name, data_home(), Path("data")]

    def files_in(self, place: Path) -> tuple[Path, ...] | None:
        """Returns the files, the test's last: of the binary version if it is there."""
        for folder, end in (
            (place, ".bin"),
            (place / self.binary_folder, ".bin"),
            (place / self.python_folder, ""),
            (place, ""),
        ):
            found = tuple(folder / f"{batch}{end}" for batch in self.batches)
            if all(path.is_file() for path in found):
                return found
        return None

    def download(self, into: Path) -> None:
        """Fetches the binary version, and keeps its images."""
        url = self.python_address().replace("-python.tar.gz", "-binary.tar.gz")
        archive = fetch([url], self.md5, into)
        unpack(archive, [f"{self.binary_folder}/{batch}.bin" for batch in self.batches], into)
        disk.remove_file(archive)

    def read(self) -> Source:
        """Reads all files."""
        import numpy as np

        *parts, test = map(self._read, self.locate())
        train = Examples(
            np.concatenate([part.inputs for part in parts]),
            np.concatenate([part.targets for part in parts]),
        )
        return Source(train, test, class_names=self.all_class_names())

    def _read(self, path: Path) -> Examples:
        images, labels = self._binary(path) if path.suffix == ".bin" else self._python(path)
        return self.examples(images.reshape(-1, *self.image_shape), labels, path)

    def _binary(self, path: Path) -> "tuple[np.ndarray, np.ndarray]":
        import numpy as np

        try:
            content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error}") from error
        record = self.labels_per_image + PIXELS
        if len(content) % record:
            raise DataError(
                f"{path} has {len(content)} bytes, no multiple of {record}: "
                f"{self.labels_per_image} for the label and {PIXELS} for the image",
                remedy="fetch it again",
            )
        rows = content.reshape(-1, record)
        return rows[:, self.labels_per_image :], rows[:, self.label_position()]

    def _python(self, path: Path) -> "tuple[np.ndarray, np.ndarray]":
        import numpy as np

        content = read_pickled(path)
        images, labels = bytes_of(content.get("data")), content.get(self.label_word())
        if images is None or images.shape[1] != PIXELS:
            raise DataError(f"{path} has no array `data` of bytes, {PIXELS} an image")
        if not isinstance(labels, list) or not all(
            type(label) is int and 0 <= label < 256 for label in labels
        ):
            raise DataError(f"{path} has no list `{self.label_word()}` of small numbers")
        return images, np.array(labels, dtype="int64")


class Cifar10(Cifar):
    """60,000 colour images of 32 x 32 pixels, values 0 to 255, ten kinds of animal and vehicle.

        50,000 training (validation held out of them) + 10,000 test

    Inputs have shape (3, 32, 32): red, green, blue.

    Source: Krizhevsky, 2009, chapter 3.
    Keras: cifar10, with the channels last. PyTorch: torchvision's CIFAR10 downloads pickles; here
    the binary version beside them is downloaded, and a pickle that is there is never obeyed.
    """

    name: Literal["cifar10"] = "cifar10"
    binary_folder = "cifar-10-batches-bin"
    python_folder = "cifar-10-batches-py"
    batches = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
    md5 = "c32a1d4ab5d03f1284b67883e8d87530"
    labels_per_image = 1

    def all_class_names(self) -> tuple[str, ...]:
        """Returns the kinds."""
        return tuple(TEN.split())

    def label_position(self) -> int:
        """Returns 0: the only byte."""
        return 0

    def label_word(self) -> str:
        """Returns the key of the labels in the Python version."""
        return "labels"

    def python_address(self) -> str:
        """Returns torchvision's address."""
        from torchvision.datasets import CIFAR10

        return str(CIFAR10.url)


class Cifar100(Cifar):
    """60,000 colour images of 32 x 32 pixels, values 0 to 255, of 100 kinds in 20 groups.

        50,000 training (validation held out of them) + 10,000 test

    Inputs have shape (3, 32, 32): red, green, blue.

    Source: Krizhevsky, 2009, chapter 3.
    Keras: cifar100, with the channels last. PyTorch: torchvision's CIFAR100 has the fine labels
    only, and downloads pickles; here the binary version beside them is downloaded.
    """

    name: Literal["cifar100"] = "cifar100"
    label_mode: Literal["fine", "coarse"] = "fine"
    """fine: the 100 kinds; coarse: the 20 groups of five kinds each."""
    binary_folder = "cifar-100-binary"
    python_folder = "cifar-100-python"
    batches = ("train", "test")
    md5 = "03b5dce01913d631647c71ecec9e9cb8"
    labels_per_image = 2

    def all_class_names(self) -> tuple[str, ...]:
        """Returns the kinds or the groups."""
        return tuple((HUNDRED if self.label_mode == "fine" else TWENTY).split())

    def label_position(self) -> int:
        """Returns the second byte for the kind, the first for the group."""
        return 1 if self.label_mode == "fine" else 0

    def label_word(self) -> str:
        """Returns the key of the labels in the Python version."""
        return f"{self.label_mode}_labels"

    def python_address(self) -> str:
        """Returns torchvision's address."""
        from torchvision.datasets import CIFAR100

        return str(CIFAR100.url)


TEN = "airplane automobile bird cat deer dog frog horse ship truck"
TWENTY = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
household_furniture insects large_carnivores large_man-made_outdoor_things
large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals
non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
"""
HUNDRED = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
