"""Arrays of one's own: an .npz file as NumPy saves it."""

import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zipfile import BadZipFile

from dnnlab.choices.datasets.dataset import Dataset, Examples, Held, Holdout, Signature, Source
from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.spec import InputPath

if TYPE_CHECKING:
    import numpy as np

COLOURS = (1, 3, 4)
"""How many channels an image has: grey, red-green-blue, and with transparency."""
MOST_CLASSES = 1000
"""More distinct whole numbers than this, in half of the examples, are no classes."""

SAVE = "numpy.savez(path, inputs=..., targets=...), or x_train, y_train, x_test, y_test"


class Npz(Dataset):
    """NumPy arrays of one's own: numbers, grey images (N, H, W) or images with channels.

        x_train, y_train, x_test, y_test  or  inputs, targets;  inputs (N, ...), targets (N,)

    Images with their channels last, (N, H, W, C), are read as (N, C, H, W), grey ones as (N, H, W).
    The classes are the distinct targets, in their order; an array `class_names`, if there is one,
    names the classes 0, 1, 2, ... instead. Objects are never unpickled.

    Source: NumPy's NPY format; the first names are those of Keras's mnist.npz.
    Keras: takes arrays, channels last. PyTorch: TensorDataset, channels first.
    """

    name: Literal["npz"] = "npz"
    path: InputPath
    """The file; a relative path starts at the config's folder."""
    task: Literal["classification", "regression"] = "classification"
    """classification: targets are whole numbers or text; regression: numbers."""
    channels: Literal["auto", "first", "last"] = "auto"
    """Where the channels of inputs with four axes stand; auto: on the axis of length 1, 3 or 4."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test where the file has no x_test."""

    @property
    def task_of_data(self) -> Task:
        """The task as given."""
        return self.task

    def signature(self) -> Signature | None:
        """Returns None: the shapes are known after reading."""
        return None

    def read(self) -> Source:
        """Reads the file."""
        arrays = _arrays(Path(self.path))
        if "x_train" in arrays:
            pairs = [("x_train", "y_train"), ("x_test", "y_test")]
            if "x_test" not in arrays and "y_test" not in arrays:
                pairs.pop()
        else:
            pairs = [("inputs", "targets")]
        found = [self._examples(arrays, *pair) for pair in pairs]
        if len({examples.inputs.shape[1:] for examples in found}) > 1:
            shapes = " and ".join(str(list(each.inputs.shape)) for each in found)
            raise DataError(f"{self.path}: training and test inputs are {shapes}")
        names: tuple[str, ...] = ()
        if self.task == "classification":
            given = arrays.get("class_names")
            found, names = self._classes(found, given)
        if len(found) == 1:
            train, test = self.test.divide(found[0], "test")
        else:
            train, test = found
        return Source(train, test, class_names=names, path=self.path)

    def _examples(self, arrays: "dict[str, np.ndarray]", x: str, y: str) -> Examples:
        """Takes two arrays, the inputs as they will be learned from, the targets as they are."""
        for name in (x, y):
            if name not in arrays:
                listed = ", ".join(arrays) or "nothing"
                raise DataError(
                    f"{self.path} has no array `{name}`; it holds {listed}",
                    remedy=SAVE,
                )
        inputs, targets = arrays[x], arrays[y]
        if inputs.dtype.kind not in "buif":
            raise DataError(f"{self.path}: `{x}` are {inputs.dtype}, not numbers")
        if targets.ndim == 2 and targets.shape[1] == 1:
            targets = targets[:, 0]
        if targets.ndim != 1:
            raise DataError(
                f"{self.path}: `{y}` has the shape {list(targets.shape)}, not [N]",
                remedy="one-hot targets become classes by argmax(axis=1)",
            )
        if inputs.ndim not in (2, 3, 4) or len(inputs) != len(targets):
            raise DataError(
                f"{self.path}: `{x}` has the shape {list(inputs.shape)} and `{y}` "
                f"{list(targets.shape)}; [N, ...] of two to four axes and [N] are expected"
            )
        if 0 in inputs.shape:
            raise DataError(f"{self.path}: `{x}` has the shape {list(inputs.shape)}: it is empty")
        if self.task == "regression":
            if targets.dtype.kind not in "uif":
                raise DataError(f"{self.path}: `{y}` are {targets.dtype}, not numbers")
            targets = targets.astype("float64")
        return Examples(self.as_learned(inputs, x), targets, place=x + "[{}]")

    def as_learned(self, inputs: "np.ndarray", name: str) -> "np.ndarray":
        """Returns inputs as the net sees them, channels first. `name` is that of the array.

        Raises DataError if it cannot be told which axis the channels are.
        """
        import numpy as np

        if inputs.dtype.itemsize > 2 and inputs.dtype.kind in "ui":  # more digits than float32 has
            inputs = inputs.astype("float64")
        elif inputs.dtype == np.bool_:
            inputs = inputs.astype("uint8")
        if inputs.ndim != 4:
            return inputs
        where = self.channels
        if where == "auto":
            first, last = inputs.shape[1] in COLOURS, inputs.shape[3] in COLOURS
            if first == last:
                raise DataError(
                    f"{self.path}: `{name}` has the shape {list(inputs.shape)}: "
                    "which axis are the channels?",
                    remedy="data.channels: first, or last",
                )
            where = "first" if first else "last"
        if where == "last":
            inputs = np.ascontiguousarray(np.moveaxis(inputs, 3, 1))
        return inputs[:, 0] if inputs.shape[1] == 1 else inputs

    def _classes(
        self, found: list[Examples], given: "np.ndarray | None"
    ) -> tuple[list[Examples], tuple[str, ...]]:
        """Numbers the classes 0, 1, 2, ... and returns their names."""
        import numpy as np

        targets = np.concatenate([examples.targets for examples in found])
        if targets.dtype.kind == "f":
            raise DataError(
                f"{self.path}: the targets are {targets.dtype}, and classes are whole numbers",
                remedy="data.task: regression; or save them as whole numbers",
            )
        if given is not None and targets.dtype.kind in "ui":
            numbers = targets.astype("int64")
            names = tuple(str(name) for name in given.tolist())
        else:
            labels, numbers = np.unique(targets, return_inverse=True)
            names = tuple(str(label) for label in labels.tolist())
        if len(names) > max(MOST_CLASSES, len(numbers) // 2):
            raise DataError(
                f"{self.path}: the targets are {len(names)} classes in {len(numbers)} examples",
                remedy="data.task: regression, if they are numbers",
            )
        parts = np.split(numbers.astype("int64"), np.cumsum([len(each) for each in found])[:-1])
        pairs = zip(found, parts, strict=True)
        return [replace(examples, targets=part) for examples, part in pairs], names


def _arrays(path: Path) -> "dict[str, np.ndarray]":
    """Reads those arrays of a file that are known by their names."""
    import numpy as np

    wanted = ("x_train", "y_train", "x_test", "y_test", "inputs", "targets", "class_names")
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise DataError(f"{path} is a single array", remedy=SAVE)
            if not {"x_train", "inputs"} & set(archive.files):
                listed = ", ".join(archive.files) or "nothing"
                raise DataError(f"{path} has no array `inputs` or `x_train`: {listed}", remedy=SAVE)
            return {name: archive[name] for name in archive.files if name in wanted}
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
