"""Images of one's own: a folder per class, with files that Pillow reads."""

import math
import os
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dnnlab.choices.datasets.dataset import (
    Dataset,
    Examples,
    Held,
    Holdout,
    Signature,
    Source,
    Standardization,
)
from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.spec import InputPath

if TYPE_CHECKING:
    import numpy as np

FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""What is read, by content and not by ending. Pillow knows more, some of it by other programs."""
ENDINGS = tuple(ending for endings in FORMATS.values() for ending in endings)
EIGHT_BITS = {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
"""Pillow's modes of at most 8 bits a channel: others would be cut to 255 in silence."""
JUNK = {"thumbs.db", "desktop.ini", "__macosx"}
"""What file managers and archivers leave behind, beside names that begin with a dot."""
NAMED = 5
"""Files that an error names; the others are counted."""
TEST, VALIDATION = {"test"}, {"val", "valid", "validation"}
MOST_BYTES = 8 * 2**30
"""Of all images as float32, which is what they are in memory. More is no dataset for memory."""


class ImageFolder(Dataset):
    """Images of one's own in one folder per class: cut to squares of one size, grey or in colour.

        path/cat/1.jpg, path/dog/a.png ...   or   path/train/cat/1.jpg ..., path/test/cat/7.jpg ...

    A folder `val` (or valid, validation) beside train is the validation split, whatever validation
    says but null, and test the test; what has no folder is held out of train. Each image is turned
    as its camera says (EXIF), cut to the largest square around its centre, and resized to `size`
    pixels, smaller or larger, by bilinear interpolation over the whole area, the same as resizing
    the short side and cutting the centre. A transparent channel is dropped; of a moving image the
    first is taken. Inputs have shape (3, size, size) or, in grey, (size, size), values 0 to 255.
    Classes are in the order of their names, 2 before 10.

    Source: the layout of torchvision's ImageFolder and of ImageNet.
    Keras: image_dataset_from_directory stretches images unless crop_to_aspect_ratio. PyTorch:
    torchvision's ImageFolder leaves size and colour to transforms, and skips files it cannot read
    by their ending; here every file that is no image is refused by name.
    """

    name: Literal["image_folder"] = "image_folder"
    path: InputPath
    """The folder with the folders of the classes, or with train/ and test/ in it."""
    size: Annotated[int, Field(ge=1, le=4096)] = 64
    """Width and height that every image is brought to, in pixels."""
    standardize: Standardization = "per_channel"
    """As for all data; per_channel is usual where what is seen may stand anywhere."""
    colour: Literal["rgb", "grey"] = "rgb"
    """rgb: three channels, a grey image thrice; grey: one, .299 red + .587 green + .114 blue."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test, where there is no folder `test`."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature | None:
        """Returns None: the classes are known after looking into the folder."""
        return None

    def image_shape(self) -> tuple[int, ...]:
        """Returns the shape of one input."""
        square = (self.size, self.size)
        return (3, *square) if self.colour == "rgb" else square

    def read(self) -> Source:
        """Looks into the folder and reads every image."""
        root = Path(self.path)
        if not root.is_dir():
            raise DataError(f"there is no folder {root}", remedy="correct data.path")
        splits = _splits(root)
        folders = _class_folders(splits.train, root)
        names = tuple(folders)
        if len(names) < 2:
            raise DataError(
                f"{splits.train} has {len(names)} folders of images; a class is a folder",
                remedy="sort the images into one folder for each of at least two classes",
            )
        train = self._labelled(folders, names, root)
        validation = self._split(splits.validation, names, root)
        test = self._split(splits.test, names, root)
        if test is None:
            train, test = self.test.divide(train, "test")
        return Source(train, test, validation, class_names=names)

    def _split(self, folder: Path | None, names: tuple[str, ...], root: Path) -> Examples | None:
        """Returns the examples of a folder beside train, whose classes are those of train."""
        if folder is None:
            return None
        folders = _class_folders(folder, root)
        for name, inside in folders.items():
            if name not in names:
                raise DataError(f"{inside}: the class '{name}' is not in train")
        return self._labelled(folders, names, root)

    def images(self, paths: "Sequence[Path]") -> "np.ndarray":
        """Returns the images of these files, (N, *shape) of bytes, all prepared alike.

        Raises DataError naming those that are no images, and before reading if all together would
        not fit into memory.
        """
        import numpy as np

        _refuse_what_does_not_fit(len(paths), self.image_shape())
        images = np.empty((len(paths), *self.image_shape()), dtype=np.uint8)

        refused: dict[int, DataError] = {}

        def read_into(row: int) -> None:
            try:
                images[row] = read_image(paths[row], size=self.size, colour=self.colour)
            except DataError as error:
                refused[row] = error

        with (
            warnings.catch_warnings(),
            ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool,  # Pillow lets go of the GIL
        ):
            warnings.simplefilter("ignore")  # of Pillow, about files that it reads all the same
            for _ in pool.map(read_into, range(len(paths))):
                pass
        if refused:
            raise _all_of([refused[row] for row in sorted(refused)])
        return images

    def _labelled(self, folders: "dict[str, Path]", names: "Sequence[str]", root: Path) -> Examples:
        import numpy as np

        paths: list[Path] = []
        labels: list[int] = []
        for name, folder in folders.items():
            inside = _images_in(folder, root)
            if not inside:
                raise DataError(
                    f"the folder of class '{name}' holds no image: {folder}",
                    remedy="put images into it, or remove it",
                )
            paths += inside
            labels += [names.index(name)] * len(inside)
        places = np.array([path.relative_to(root).as_posix() for path in paths])
        return Examples(self.images(paths), np.array(labels, dtype="int64"), places, "{}")


def _all_of(errors: "Sequence[DataError]") -> DataError:
    """Returns one error that names the first few files and counts the others."""
    first, *others = errors
    remedy = first.remedy or "save it again, or take it out of the folder"
    if not others:
        return DataError(first.message, remedy=remedy)
    named = "\n".join(f"  {error.message}" for error in errors[:NAMED])
    more = f"\n  and {len(errors) - NAMED:,} more" if len(errors) > NAMED else ""
    return DataError(
        f"{len(errors):,} images cannot be used:\n{named}{more}",
        remedy="save them again, or take them out of the folder",
    )


def read_image(path: Path, *, size: int, colour: Literal["rgb", "grey"]) -> "np.ndarray":
    """Returns one image as bytes: (3, size, size), or (size, size) in grey.

    Raises DataError naming the file if it is no image, is damaged, or has more than 8 bits.
    """
    import numpy as np
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path, formats=tuple(FORMATS)) as opened:
            if opened.width * opened.height > (Image.MAX_IMAGE_PIXELS or 2**27):
                raise DataError(f"{path} has {opened.width} x {opened.height} pixels: too many")
            if opened.mode not in EIGHT_BITS:
                raise DataError(
                    f"{path} has more than 8 bits a channel (Pillow's mode {opened.mode})",
                    remedy="save it with 8",
                )
            upright = ImageOps.exif_transpose(opened).convert("L" if colour == "grey" else "RGB")
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise DataError(f"{path} is no image that can be read: {known}") from None
    except DataError:
        raise
    except Exception as error:  # Pillow raises nearly anything at a damaged file
        raise DataError(f"{path} cannot be read: {error}") from error
    fitted = np.asarray(ImageOps.fit(upright, (size, size), method=Image.Resampling.BILINEAR))
    return fitted if colour == "grey" else fitted.transpose(2, 0, 1)


def images_at(path: Path) -> list[Path]:
    """Returns the file, or the images lying in the folder, in natural order of their names.

    Raises DataError if the folder holds none, or holds anything else.
    """
    if not path.exists():
        raise DataError(f"there is no file or folder {path}")
    if not path.is_dir():
        return [path]
    found = _images_in(path, path)
    if not found:
        raise DataError(f"{path} holds no image")
    return found


@dataclass(frozen=True)
class _Splits:
    """Where the images of each split lie; None for what is held out of train."""

    train: Path
    validation: Path | None = None
    test: Path | None = None


def _splits(root: Path) -> _Splits:
    """Returns the folders of the splits; only that of training, root, if the classes lie in it.

    A folder is a split if it has folders itself: images in `train` make a class of that name.
    """
    inside = {path.name.lower(): path for path in _visible(root) if path.is_dir()}
    splits = {
        name
        for name in inside.keys() & ({"train"} | TEST | VALIDATION)
        if any(path.is_dir() for path in _visible(inside[name]))
    }
    if not splits:
        return _Splits(root)
    for name in splits:
        _refuse_a_way_out(inside[name], root)
    if "train" not in splits:
        raise DataError(
            f"{root} has {', '.join(sorted(splits))} but no train",
            remedy="name the folder with the training images train",
        )
    held = sorted(inside.keys() & VALIDATION)
    others = sorted(inside.keys() - {"train"} - TEST - VALIDATION) or held[1:]
    if others:
        raise DataError(
            f"{root} has {others[0]} beside {held[0] if others == held[1:] else 'train'}",
            remedy="beside train there can be val and test; or else every folder is a class",
        )
    return _Splits(inside["train"], inside[held[0]] if held else None, inside.get("test"))


def _class_folders(folder: Path, root: Path) -> dict[str, Path]:
    """Returns the folders in a folder by name, in natural order."""
    found = {}
    for path in _visible(folder):
        _refuse_a_way_out(path, root)
        if path.is_dir():
            found[path.name] = path
        elif path.suffix.lower() in ENDINGS:
            raise DataError(
                f"{path} lies beside the folders of the classes, not in one",
                remedy="move it into the folder of its class",
            )
    return found


def _images_in(folder: Path, root: Path) -> list[Path]:
    found = _visible(folder)
    for path in found:
        _refuse_a_way_out(path, root)
        if path.is_dir():
            raise DataError(
                f"{path} is a folder inside a folder of images",
                remedy=f"move its images into {folder}",
            )
    return found


def _visible(folder: Path) -> list[Path]:
    """Returns what lies in a folder, without what file managers leave, in natural order."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    kept = [n for n in names if not n.startswith(".") and n.lower() not in JUNK]
    return [folder / name for name in sorted(kept, key=natural)]


def _refuse_a_way_out(path: Path, root: Path) -> None:
    if not path.is_symlink():
        return
    try:
        inside = path.resolve(strict=True).is_relative_to(root.resolve())
    except (OSError, RuntimeError) as error:
        raise DataError(f"{path} is a link that leads nowhere: {error}") from error
    if not inside:
        raise DataError(
            f"{path} is a link that leads out of {root}, and is not followed",
            remedy="put the files themselves there",
        )


def _refuse_what_does_not_fit(count: int, shape: tuple[int, ...]) -> None:
    needed = 4 * count * math.prod(shape)
    if needed > MOST_BYTES:
        raise DataError(
            f"{count:,} images of shape {list(shape)} take {needed / 2**30:.1f} GiB, "
            f"over {MOST_BYTES / 2**30:.0f}",
            remedy="a smaller data.size, or data.colour: grey",
        )


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Returns a key that sorts numbers in names by their value.

    >>> sorted(["10", "9", "a10", "a2"], key=natural)
    ['9', '10', 'a2', 'a10']
    """
    parts = [
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]
    return parts, name
