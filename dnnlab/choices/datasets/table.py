"""Tables of one's own: a file with one example a row, read by its columns' names."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from dnnlab.choices.datasets.cells import (
    Table,
    encode,
    has_thousands,
    is_date,
    is_missing,
    number,
    refuse_missing,
)
from dnnlab.choices.datasets.dataset import Dataset, Examples, Held, Holdout, Signature, Source
from dnnlab.choices.losses import Task
from dnnlab.errors import DataError
from dnnlab.spec import Count, InputPath

if TYPE_CHECKING:
    import numpy as np

FEW_STRAYS = 0.2
"""A column with a smaller share of text among numbers than this has typing errors in it."""


def _no_quote_or_line_end(character: str) -> str:
    if character in '"\r\n':
        raise ValueError("a quote or the end of a line cannot stand between values")
    return character


class TableData(Dataset):
    """What a table has, whatever file it stands in. Abstract."""

    path: InputPath
    """The file; a relative path starts at the config's folder."""
    target: str
    """The column to predict."""
    task: Literal["classification", "regression"]
    """classification: the target's distinct values are the classes; regression: it is a number."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test."""
    ignore: Annotated[tuple[str, ...], Strict(False)] = ()
    """Columns to leave out, such as names, dates and numbers of rows."""
    categorical: Annotated[tuple[str, ...], Strict(False)] = ()
    """Columns whose numbers are names of categories, such as postal codes."""
    max_categories: Count = 100
    """A column of more different texts is refused: a name rather than a category."""
    missing: Literal["refuse", "mean", "median"] = "refuse"
    """mean, median: a missing number becomes that of the training split, a missing word no
    category."""

    @property
    def task_of_data(self) -> Task:
        """The task as given."""
        return self.task

    def signature(self) -> Signature | None:
        """Returns None: the columns are known after reading."""
        return None

    @abstractmethod
    def table(self, path: Path) -> Table:
        """Reads a file that is written like this one."""

    def read(self) -> Source:
        """Reads the file and decides for each column what it is."""
        import numpy as np

        table = self.table(Path(self.path))
        for name in (self.target, *self.ignore, *self.categorical):
            table.position(name)
        names = [n for n in table.header if n != self.target and n not in self.ignore]
        if not names:
            raise DataError(f"{self.path}: no column is left to learn from")
        columns = self._columns(table, names)
        inputs, _ = encode(table, columns)
        if self.missing == "refuse":
            refuse_missing(table, names)
        targets, classes = self._targets(table)
        examples = Examples(inputs, targets, np.array(table.lines), "line {}")
        train, test = self.test.divide(examples, "test")
        return Source(train, test, class_names=classes, columns=columns, gaps=self.missing)

    def _columns(self, table: Table, names: Sequence[str]) -> tuple[dict[str, Any], ...]:
        """Decides for each column what it is. Raises DataError with all that is wrong in them."""
        columns, refused = [], []
        for name in names:
            try:
                columns.append(self._column(table, name))
            except DataError as error:
                refused.append(error)
        if len(refused) == 1:
            raise refused[0]
        if refused:
            said = "\n".join(f"  {error.message};\n    {error.remedy}" for error in refused)
            raise DataError(f"{len(refused)} columns cannot be used as they are:\n{said}")
        return tuple(columns)

    def _column(self, table: Table, name: str) -> dict[str, Any]:
        given = [value for value in table.values(name) if not is_missing(value)]
        if name in self.categorical:
            return self._categories(name, given)
        strays = [value for value in given if table.number(value) is None]
        if not strays:
            return {"name": name, "kind": "numeric"}
        line = table.lines[table.values(name).index(strays[0])]
        here = f"{self.path}: column '{name}'"
        if is_date(strays[0]) and all(map(is_date, strays)):
            raise DataError(
                f"{here} holds dates, the first in line {line}: '{strays[0]}'",
                remedy="write what matters of them as columns of their own (a year, a month, days "
                f"since), and leave the column out with data.ignore: [{name}]",
            )
        other = "." if table.decimal == "," else ","
        if all(number(value, other) is not None for value in strays):
            raise DataError(
                f"{here} holds numbers with a decimal '{other}', the first in line {line}: "
                f"'{strays[0]}'",
                remedy=_write_decimals(self, other),
            )
        if all(map(has_thousands, strays)):
            raise DataError(
                f"{here} holds numbers with separators between thousands, the first in line "
                f"{line}: '{strays[0]}'",
                remedy=f"write them without; or data.ignore: [{name}]",
            )
        if len(strays) < FEW_STRAYS * len(given):
            raise DataError(
                f"{here} holds numbers, but {len(strays)} of its values are "
                f"not, the first in line {line}: '{strays[0]}'",
                remedy=f"correct them, leave them empty, or name the column in "
                f"data.categorical or data.ignore: [{name}]",
            )
        return self._categories(name, given)

    def _categories(self, name: str, given: list[str]) -> dict[str, Any]:
        categories = sorted(set(given))
        if len(categories) > self.max_categories:
            raise DataError(
                f"{self.path}: column '{name}' has {len(categories)} different texts, "
                f"over {self.max_categories}: a name rather than a category",
                remedy=f"leave it out with data.ignore: [{name}], or raise data.max_categories",
            )
        return {"name": name, "kind": "categorical", "categories": categories}

    def _is_no_target(self, table: Table, value: str) -> bool:
        gap = is_missing(value) and value.lower() != "none"  # which may well be a class
        return gap or (self.task == "regression" and table.number(value) is None)

    def _targets(self, table: Table) -> "tuple[np.ndarray, tuple[str, ...]]":
        import numpy as np

        values = table.values(self.target)
        wrong = [
            (line, value)
            for line, value in zip(table.lines, values, strict=True)
            if self._is_no_target(table, value)
        ]
        if wrong:
            line, value = wrong[0]
            others = f"; other rows without one: {len(wrong) - 1:,}" if len(wrong) > 1 else ""
            raise DataError(
                f"{self.path}: line {line}: target '{self.target}' is '{value}'{others}",
                remedy="give every row a target"
                + (" that is a number" if self.task == "regression" else ""),
            )
        if self.task == "regression":
            return np.array([table.number(value) for value in values], dtype="float64"), ()

        def as_ordered(value: str) -> tuple[bool, float, str]:
            parsed = table.number(value)
            return parsed is None, parsed or 0, value

        classes = sorted(set(values), key=as_ordered)
        if len(classes) < 2:
            raise DataError(f"{self.path}: every row has the target '{classes[0]}'")
        if len(classes) > max(self.max_categories, len(values) // 2):
            raise DataError(
                f"{self.path}: '{self.target}' has {len(classes)} classes in {len(values)} rows",
                remedy="data.task: regression, if it is a number",
            )
        index = {name: i for i, name in enumerate(classes)}
        return np.array([index[value] for value in values], dtype="int64"), tuple(classes)


def _write_decimals(data: TableData, decimal: str) -> str:
    if not isinstance(data, Csv):
        return "write the column as numbers"
    return f'data.decimal: "{decimal}"' + (
        ', and another data.delimiter, such as ";"' if decimal == data.delimiter else ""
    )


class Csv(TableData):
    """A CSV file of one's own: columns of numbers are scaled, columns of text become one-hot.

        header: name, name, ..., target

    UTF-8, with or without a byte order mark, any ends of lines, values in double quotes or not.
    One-hot columns are standardized like all others. Dates are refused: say what matters of them in
    columns of numbers.

    Source: RFC 4180, with any one-character delimiter.
    Keras and PyTorch: no reader that knows columns.
    """

    name: Literal["csv"] = "csv"
    delimiter: Annotated[
        str, Field(min_length=1, max_length=1), AfterValidator(_no_quote_or_line_end)
    ] = ","
    """The character between two values."""
    decimal: Literal[".", ","] = "."
    """The character before the decimals of a number; none stands between thousands."""

    @model_validator(mode="after")
    def _tell_apart(self) -> Self:
        if self.delimiter == self.decimal:
            raise ValueError(f'decimal: "{self.decimal}" is the delimiter too; give another one')
        return self

    def table(self, path: Path) -> Table:
        """Reads a file with the same delimiter."""
        return Table.read(path, self.delimiter, self.decimal)


class Parquet(TableData):
    """A Parquet file of one's own, as pandas, Polars and DuckDB write it; otherwise as csv.

        columns: name, name, ..., target

    Truth values are the categories true and false; null and nan are missing values. Needs pyarrow:
    pip install dnnlab[tables].

    Source: Apache Parquet, read by pyarrow.
    Keras and PyTorch: no reader that knows columns.
    """

    name: Literal["parquet"] = "parquet"

    def table(self, path: Path) -> Table:
        """Reads a file with the same columns."""
        return Table.read_parquet(path, leave_out=self.ignore)
