"""Arrays out of a pickle that is never obeyed: what torchvision leaves of CIFAR on disk.

A pickle is a program: it names functions and calls them. Here every name it may use becomes a
stand-in that does nothing but keep what it was given; all others are refused. So no code but this
page runs, not even NumPy's.
"""

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnlab.errors import DataError

if TYPE_CHECKING:
    import numpy as np

ARRAY_WORDS = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
"""The only names that a pickled array needs, in NumPy before 2 and since."""


class StandIn:
    """Takes the place of whatever a pickle names: keeps arguments and state, does nothing."""

    __slots__ = ("arguments", "state")

    def __init__(self, *arguments: object) -> None:
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ARRAY_WORDS:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs")
        return StandIn


def read_pickled(path: Path) -> dict[str, Any]:
    """Returns a pickled dictionary: plain values, and a StandIn for each array.

    Raises DataError naming the file if it is anything else, and runs nothing of it.
    """
    try:
        with path.open("rb") as file:
            content = _Reader(file, encoding="bytes").load()
    except Exception as error:  # a damaged pickle makes the reader raise nearly anything
        raise DataError(f"{path} cannot be read: {error}", remedy="fetch it again") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no dictionary", remedy="fetch it again")
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value
        for key, value in content.items()
    }


def bytes_of(value: object) -> "np.ndarray | None":
    """Returns the array of bytes (uint8, in C order) that a StandIn was given, or None."""
    import numpy as np

    match value:
        case StandIn(
            state=(
                int(),
                (int(rows), int(columns)),
                StandIn(arguments=(b"u1" | "u1" | b"uint8" | "uint8", *_)),
                False | 0,
                bytes(content),
            )
        ) if rows >= 0 and columns >= 0 and rows * columns == len(content):
            return np.frombuffer(content, dtype=np.uint8).reshape(rows, columns)
    return None
