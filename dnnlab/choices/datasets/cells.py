"""A table as text: its cells, what stands in a column, and how rows become inputs."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnnlab.errors import DataError, MachineError

if TYPE_CHECKING:
    import numpy as np

MISSING = {"", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "none", "k.a.", "?", "-"}
"""What people write where a value is missing, in lower case."""
LARGEST = 3.4e38
"""Numbers beyond this are no float32."""
DATE = re.compile(r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([T ].*)?")
"""2026-01-31, 31.01.2026, 1/31/26, with or without a time after it."""
THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,' ]\d{3})+([.,]\d+)?")
"""1,234.50 or 1.234,50 or 1'234."""


def is_missing(value: str) -> bool:
    """Whether this is one of the ways in which people write that a value is missing."""
    return value.lower() in MISSING


def is_date(value: str) -> bool:
    """Whether a text looks like a day of a calendar."""
    return DATE.fullmatch(value) is not None


def has_thousands(value: str) -> bool:
    """Whether a text looks like a number with something between its thousands."""
    return THOUSANDS.fullmatch(value) is not None


def number(value: str, decimal: str = ".") -> float | None:
    """Returns the number that a text stands for, or None if it is none that float32 can hold.

    >>> number("2,5"), number("2,5", ","), number("2.5", ",")
    (None, 2.5, None)
    """
    if "_" in value:  # Python's own way to write 1_000, nobody else's
        return None
    if decimal != "." and "." in value:  # 1.234,5 or a table with both: not to be guessed
        return None
    try:
        result = float(value.replace(decimal, "."))
    except ValueError:
        return None
    return result if abs(result) <= LARGEST else None


@dataclass(frozen=True)
class Table:
    """A file as text: its header, its rows, and the line of the file each row ended on."""

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    decimal: str = "."
    """What stands before the decimals of a number."""

    @classmethod
    def read(cls, path: Path, delimiter: str = ",", decimal: str = ".") -> "Table":
        """Reads a CSV file; blanks around values are taken off, empty lines passed over.

        So is a column that has neither a name nor any value, as a delimiter at the end of each line
        makes one. Raises DataError with the line if the file is missing, empty, ragged or not
        UTF-8, or if a column has no name or one that stands twice.
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
        ragged = [i for i, row in enumerate(rows) if len(row) != len(header)]
        if ragged:
            others = f"; other lines that do not fit: {len(ragged) - 1:,}" if ragged[1:] else ""
            raise DataError(
                f"{path}: line {lines[ragged[0]]} has {len(rows[ragged[0]])} values, "
                f"the header {len(header)}{others}",
                remedy=_another_delimiter(header)
                or "a value that holds the delimiter is written in double quotes; "
                "data.delimiter names another delimiter",
            )
        empty = {i for i, name in enumerate(header) if not name and not any(r[i] for r in rows)}
        rows = [[value for i, value in enumerate(row) if i not in empty] for row in rows]
        _refuse_names(path, rows)
        return cls(path, rows[0], rows[1:], lines[1:], decimal)

    @classmethod
    def read_parquet(cls, path: Path, leave_out: Sequence[str] = ()) -> "Table":
        """Reads a Parquet file through pyarrow; its rows are counted from 1.

        The columns to leave out are there, but empty: they may hold anything.
        Raises MachineError if pyarrow is not installed, DataError if the file is none.
        """
        try:
            from pyarrow import ArrowException
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise MachineError(
                "Parquet files are read by pyarrow, which is not installed",
                remedy="pip install dnnlab[tables]",
            ) from error
        try:
            with ParquetFile(path) as file:
                whole = file.read()
        except FileNotFoundError:
            raise DataError(f"there is no file {path}") from None
        except (OSError, ArrowException) as error:
            raise DataError(f"{path} cannot be read as Parquet: {error}") from error
        header = [str(name) for name in whole.column_names]
        _refuse_names(path, [header])
        if not whole.num_rows:
            raise DataError(f"{path} has no rows")
        columns = [
            [""] * whole.num_rows if name in leave_out else _as_text(column, name, path)
            for name, column in zip(header, whole.columns, strict=True)
        ]
        rows = [list(row) for row in zip(*columns, strict=True)]
        return cls(path, header, rows, list(range(1, len(rows) + 1)))

    def number(self, value: str) -> float | None:
        """Returns the number that a cell stands for, or None."""
        return number(value, self.decimal)

    def position(self, name: str) -> int:
        """Returns where a column stands. Raises DataError if there is none of that name."""
        if name not in self.header:
            known = ", ".join(self.header)
            raise DataError(
                f"{self.path} has no column '{name}'; it has {known}",
                remedy=_another_delimiter(self.header),
            )
        return self.header.index(name)

    def values(self, name: str) -> list[str]:
        """Returns a column."""
        position = self.position(name)
        return [row[position] for row in self.rows]


def _another_delimiter(header: list[str]) -> str:
    """Returns what to write if a header of one column looks like several with another delimiter."""
    only = header[0] if len(header) == 1 else ""
    other = next((each for each in ";\t|," if each in only), None)
    return f"data.delimiter: {json.dumps(other)}" if other else ""


def _refuse_names(path: Path, rows: list[list[str]]) -> None:
    header = rows[0]
    for index, name in enumerate(header):
        if not name:
            first = ", ".join(f"'{row[index]}'" for row in rows[1:4])
            raise DataError(
                f"{path}: column {index + 1} has no name; its values are {first} ...",
                remedy="name it in the first line (pandas writes its index so, unless index=False)",
            )
        if header.count(name) > 1:
            raise DataError(f"{path}: two columns are called '{name}'", remedy="rename one")


def _as_text(column: Any, name: str, path: Path) -> list[str]:
    """Writes a column of a Parquet file as a CSV file would have it; nothing for null."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_date(kind) or types.is_timestamp(kind):  # refused later, where a column is used
        column = column.cast("string")
    elif not any(
        fits(kind)
        for fits in (
            types.is_boolean,
            types.is_integer,
            types.is_floating,
            types.is_decimal,
            types.is_string,
            types.is_large_string,
            types.is_null,
        )
    ):
        raise DataError(
            f"{path}: column '{name}' holds {column.type}, neither numbers nor text",
            remedy=f"leave it out with data.ignore: [{name}]",
        )
    texts = ("" if value is None else str(value).strip() for value in column.to_pylist())
    return [text.lower() for text in texts] if types.is_boolean(kind) else list(texts)


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
            remedy="data.missing: mean, in the config, fills them (so does median); data.ignore "
            "leaves a column out",
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
        parsed = math.nan if is_missing(value) else table.number(value)
        if parsed is None:
            raise DataError(f"{table.path}: line {line}: '{value}' in column '{name}' is no number")
        yield parsed
