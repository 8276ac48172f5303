"""Tables of one's own: a CSV file with a header, one example a row."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict

from dnnlab.choices.datasets.dataset import Dataset, Examples, Held, Holdout, Signature, Source
from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.spec import InputPath

if TYPE_CHECKING:
    import numpy as np

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
"""What people write where a value is missing, in lower case."""
LARGEST = 3.4e38
"""Numbers beyond this are no float32."""
MOST_CATEGORIES = 100
"""A text column with more distinct values than this is more likely a name than a category."""
FEW_STRAYS = 0.2
"""A column with a smaller share of text among numbers than this has typing errors in it."""


def _no_quote_or_line_end(character: str) -> str:
    if character in '"\r\n':
        raise ValueError("a quote or the end of a line cannot stand between values")
    return character


class Csv(Dataset):
    """A CSV file of one's own: columns of numbers are scaled, columns of text become one-hot.

        header: name, name, ..., target

    Source: RFC 4180, with any one-character delimiter.
    Keras and PyTorch: no reader that knows columns.
    """

    name: Literal["csv"] = "csv"
    path: InputPath
    """The file; a relative path starts at the config's folder."""
    target: str
    """The column to predict."""
    task: Task
    """classification: the target's distinct values are the classes; regression: it is a number."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test."""
    delimiter: Annotated[
        str, Field(min_length=1, max_length=1), AfterValidator(_no_quote_or_line_end)
    ] = ","
    """The character between two values."""
    ignore: Annotated[tuple[str, ...], Strict(False)] = ()
    """Columns to leave out, such as names and numbers of rows."""
    categorical: Annotated[tuple[str, ...], Strict(False)] = ()
    """Columns whose numbers are names of categories, such as postal codes."""
    missing: Literal["refuse", "mean"] = "refuse"
    """mean: a missing number becomes the training split's mean, a missing word no category."""

    @property
    def task_of_data(self) -> Task:
        """The task as given."""
        return self.task

    def signature(self) -> Signature | None:
        """Returns None: the columns are known after reading."""
        return None

    def read(self) -> Source:
        """Reads the file and decides for each column what it is."""
        table = Table.read(Path(self.path), self.delimiter)
        for name in (self.target, *self.ignore, *self.categorical):
            table.position(name)
        names = [n for n in table.header if n != self.target and n not in self.ignore]
        if not names:
            raise DataError(f"{self.path}: no column is left to learn from")
        columns = tuple(self._column(table, name) for name in names)
        inputs, _ = encode(table, columns)
        if self.missing == "refuse":
            refuse_missing(table, names)
        targets, classes = self._targets(table)
        train, test = self.test.divide(Examples(inputs, targets), "test")
        fill = self.missing == "mean"
        return Source(train, test, class_names=classes, columns=columns, fill_gaps=fill)

    def _column(self, table: "Table", name: str) -> dict[str, Any]:
        values = table.values(name)
        given = [value for value in values if not is_missing(value)]
        strays = [value for value in given if number(value) is None]
        if name not in self.categorical and not strays:
            return {"name": name, "kind": "numeric"}
        if name not in self.categorical and len(strays) < FEW_STRAYS * len(given):
            line = table.lines[values.index(strays[0])]
            raise DataError(
                f"{self.path}: column '{name}' holds numbers, but {len(strays)} of its values are "
                f"not, the first in line {line}: '{strays[0]}'",
                remedy=f"correct them, leave them empty, or name the column in "
                f"data.categorical or data.ignore: [{name}]",
            )
        categories = sorted(set(given))
        if len(categories) > MOST_CATEGORIES:
            raise DataError(
                f"{self.path}: column '{name}' has {len(categories)} different texts, "
                f"over {MOST_CATEGORIES}: a name rather than a category",
                remedy=f"leave it out with data.ignore: [{name}]",
            )
        return {"name": name, "kind": "categorical", "categories": categories}

    def _targets(self, table: "Table") -> "tuple[np.ndarray, tuple[str, ...]]":
        import numpy as np

        values = table.values(self.target)
        for line, value in zip(table.lines, values, strict=True):
            gap = is_missing(value) and value.lower() != "none"  # which may well be a class
            if gap or (self.task == "regression" and number(value) is None):
                raise DataError(
                    f"{self.path}: line {line}: target '{self.target}' is '{value}'",
                    remedy="give every row a target"
                    + (" that is a number" if self.task == "regression" else ""),
                )
        if self.task == "regression":
            return np.array([number(value) for value in values], dtype="float64"), ()
        classes = sorted(set(values), key=lambda v: (number(v) is None, number(v) or 0, v))
        if len(classes) < 2:
            raise DataError(f"{self.path}: every row has the target '{classes[0]}'")
        if len(classes) > max(MOST_CATEGORIES, len(values) // 2):
            raise DataError(
                f"{self.path}: '{self.target}' has {len(classes)} classes in {len(values)} rows",
                remedy="data.task: regression, if it is a number",
            )
        index = {name: i for i, name in enumerate(classes)}
        return np.array([index[value] for value in values], dtype="int64"), tuple(classes)


def is_missing(value: str) -> bool:
    """Whether this is one of the ways in which people write that a value is missing."""
    return value.lower() in MISSING


def number(value: str) -> float | None:
    """Returns the number that a text stands for, or None if it is none that float32 can hold."""
    if "_" in value:  # Python's own way to write 1_000, nobody else's
        return None
    try:
        result = float(value)
    except ValueError:
        return None
    return result if abs(result) <= LARGEST else None


@dataclass(frozen=True)
class Table:
    """A CSV file as text: its header, its rows, and the line of the file each row ended on."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    @classmethod
    def read(cls, path: Path, delimiter: str = ",") -> "Table":
        """Reads a file; blanks around values are taken off, empty lines passed over.

        Raises DataError with the line if the file is missing, empty, ragged or not UTF-8, or if a
        column has no name or one that stands twice.
        """
        rows, lines = [], []
        reader = csv.reader(
            io.StringIO(_text_of(path), newline=""), delimiter=delimiter, strict=True
        )
        try:
            for row in reader:
                if row:
                    rows.append([value.strip() for value in row])
                    lines.append(reader.line_num)
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num}: {error}") from error
        if len(rows) < 2:
            raise DataError(f"{path} has no rows below its header")
        header = rows[0]
        for name in header:
            if not name or header.count(name) > 1:
                raise DataError(f"{path}: every column needs its own name; '{name}' is none")
        for line, row in zip(lines, rows, strict=True):
            if len(row) != len(header):
                raise DataError(
                    f"{path}: line {line} has {len(row)} values, the header {len(header)}",
                    remedy="a value that holds the delimiter is written in double quotes; "
                    "data.delimiter names another delimiter",
                )
        return cls(path, header, rows[1:], lines[1:])

    def position(self, name: str) -> int:
        """Returns where a column stands. Raises DataError if there is none of that name."""
        if name not in self.header:
            raise DataError(f"{self.path} has no column '{name}'; it has {', '.join(self.header)}")
        return self.header.index(name)

    def values(self, name: str) -> list[str]:
        """Returns a column."""
        position = self.position(name)
        return [row[position] for row in self.rows]


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {line}: a character is not UTF-8", remedy="save the file as UTF-8"
        ) from None


def refuse_missing(table: "Table", names: Sequence[str]) -> None:
    """Raises DataError naming every column with a gap, and the line of its first."""
    gaps = []
    for name in names:
        lines = [
            line
            for line, value in zip(table.lines, table.values(name), strict=True)
            if is_missing(value)
        ]
        if lines:
            gaps.append(f"'{name}' {len(lines)} (first in line {lines[0]})")
    if gaps:
        raise DataError(
            f"{table.path}: values are missing: {', '.join(gaps)}",
            remedy="data.missing: mean, in the config, fills them; data.ignore leaves a column out",
        )


def encode(
    table: "Table", columns: Sequence[dict[str, Any]]
) -> "tuple[np.ndarray, dict[str, int]]":
    """Turns rows of text into inputs of shape (N, features), as `columns` say.

    Returns the inputs in float64, missing numbers as nan, and how many values of each column are
    categories that it does not know: those become all zeros. Raises DataError if a column is not
    there or a number is none.
    """
    import numpy as np

    unknown: dict[str, int] = {}
    parts = []
    for column in columns:
        name = column["name"]
        values = table.values(name)
        if column["kind"] == "numeric":
            parts.append(np.array(list(_numbers(table, name)), dtype="float64")[:, None])
            continue
        categories = np.array(column["categories"])
        parts.append((np.array(values)[:, None] == categories[None, :]).astype("float64"))
        strangers = sum(not is_missing(v) and v not in column["categories"] for v in values)
        if strangers:
            unknown[name] = strangers
    return np.concatenate(parts, axis=1), unknown


def _numbers(table: "Table", name: str) -> Iterator[float]:
    for line, value in zip(table.lines, table.values(name), strict=True):
        parsed = math.nan if is_missing(value) else number(value)
        if parsed is None:
            raise DataError(f"{table.path}: line {line}: '{value}' in column '{name}' is no number")
        yield parsed
