"""Which classes are learned: some of them, or one against the rest. By name or by number."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import BeforeValidator, WithJsonSchema

from dnnlab.errors import DataError

if TYPE_CHECKING:
    import numpy as np

LISTED = 30
"""How many class names a message lists."""


def _as_text(value: Any) -> Any:
    """YAML reads 5 and true as what they are; a class may well be called so."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


ClassName = Annotated[
    str,
    BeforeValidator(_as_text),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}]}),
]
"""The name of a class, or its number, counted from 0. Where all classes are called by numbers, such
as digits, a number is always a name."""


def numbers_of(words: Sequence[str], names: Sequence[str], setting: str) -> tuple[int, ...]:
    """Returns the numbers of the classes that are meant.

    Raises DataError naming the nearest if there is none of that name, or if two words mean one.

    >>> numbers_of(["Coat", "0"], ["Shirt", "Bag", "Coat"], "data.classes")
    (2, 0)
    >>> numbers_of(["2"], ["1", "2", "3"], "data.classes")
    (1,)
    """
    found = tuple(_number_of(word, names, setting) for word in words)
    for place, number in enumerate(found):
        if number in found[:place]:
            raise DataError(f"{setting}: class {number} ('{names[number]}') is named twice")
    return found


def _number_of(word: str, names: Sequence[str], setting: str) -> int:
    if word in names:
        return names.index(word)
    numbered = all(_is_whole(name) for name in names)
    if not numbered and word.isdecimal() and int(word) < len(names):
        return int(word)
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.6)
    hint = f"; did you mean '{lower[near[0]]}'?" if near else ""
    known = names if numbered else [f"{number} {name}" for number, name in enumerate(names)]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    raise DataError(
        f"{setting}: no class is called '{word}'{hint}",
        remedy=f"the classes are {', '.join(known[:LISTED])}{more}",
    )


def _is_whole(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


@dataclass(frozen=True)
class Relabelling:
    """What becomes of each class."""

    new: "np.ndarray"
    """The new number of each old class, -1 where it is left out."""
    names: tuple[str, ...]
    """The names of the new classes."""

    @classmethod
    def of(cls, kept: Sequence[int], names: Sequence[str]) -> Self:
        """Returns that only these classes are kept, renumbered in this order."""
        import numpy as np

        new = np.full(len(names), -1, dtype="int64")
        new[list(kept)] = np.arange(len(kept))
        return cls(new, tuple(names[number] for number in kept))

    @classmethod
    def against_the_rest(cls, positive: int, kept: Sequence[int], names: Sequence[str]) -> Self:
        """Returns that one class becomes 1 and the others that are kept become 0."""
        import numpy as np

        new = np.full(len(names), -1, dtype="int64")
        new[list(kept)] = 0
        new[positive] = 1
        return cls(new, (f"not {names[positive]}", names[positive]))
