from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnnlab.choices.datasets import Source
from dnnlab.choices.datasets.cells import Table
from dnnlab.choices.datasets.table import Csv, Parquet
from dnnlab.errors import DataError
from dnnlab.training.data import prepare

HOUSES = """size,town,age,price
100, Ulm ,3,250
80,Bonn,40,150
120,"Ulm",7,310
90,Köln,12,200
60,Bonn,80,90
110,Ulm,1,290
"""


def read(folder: Path, text: str | bytes = HOUSES, **settings: Any) -> Source:
    path = folder / "houses.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    chosen = {"target": "price", "task": "regression", "test": {"first": 2}} | settings
    return Csv.model_validate({"path": str(path), **chosen}).read()


def refusal(folder: Path, text: str | bytes = HOUSES, **settings: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(folder, text, **settings)
    return f"{caught.value.message} | {caught.value.remedy}"


def test_numbers_stay_and_text_becomes_one_hot(tmp_path: Path) -> None:
    source = read(tmp_path)
    kinds = [(column["name"], column["kind"]) for column in source.columns]
    assert kinds == [("size", "numeric"), ("town", "categorical"), ("age", "numeric")]
    assert source.columns[1]["categories"] == ["Bonn", "Köln", "Ulm"]
    assert source.test.inputs.tolist() == [[100, 0, 0, 1, 3], [80, 1, 0, 0, 40]]
    assert source.train.targets.tolist() == [310, 200, 90, 290]


def test_classes_are_the_distinct_targets(tmp_path: Path) -> None:
    source = read(tmp_path, target="town", task="classification")
    assert source.class_names == ("Bonn", "Köln", "Ulm")
    assert source.test.targets.tolist() == [2, 0]


def test_classes_that_are_numbers_are_ordered_as_numbers(tmp_path: Path) -> None:
    text = "x,y\n1,10\n2,9\n3,10\n4,9\n5,100\n6,9\n"
    source = read(tmp_path, text, target="y", task="classification")
    assert source.class_names == ("9", "10", "100")


def test_other_ways_of_writing_a_table(tmp_path: Path) -> None:
    semicolons = HOUSES.replace(",", ";")
    assert len(read(tmp_path, semicolons, delimiter=";").columns) == 3
    with_bom = b"\xef\xbb\xbf" + HOUSES.replace("\n", "\r\n\r\n").encode()
    assert read(tmp_path, with_bom).columns[0]["name"] == "size"


def test_columns_can_be_ignored_or_called_categories(tmp_path: Path) -> None:
    source = read(tmp_path, ignore=["town"], categorical=["age"])
    assert [column["kind"] for column in source.columns] == ["numeric", "categorical"]


def test_missing_values_are_refused_with_their_lines(tmp_path: Path) -> None:
    text = HOUSES.replace("80,Bonn,40", "80,,NA").replace("60,Bonn,80", "60,Bonn,?")
    message = refusal(tmp_path, text)
    assert "'town' 1 (first in line 3), 'age' 2 (first in line 3)" in message
    assert "data.missing: mean" in message


def test_missing_values_can_be_filled(tmp_path: Path) -> None:
    text = HOUSES.replace("80,Bonn,40", "80,,NA")
    source = read(tmp_path, text, missing="mean")
    assert np.isnan(source.test.inputs[1, 4])
    assert source.test.inputs[1, 1:4].tolist() == [0, 0, 0]


def test_a_stray_text_among_numbers_is_a_typing_error(tmp_path: Path) -> None:
    rows = "".join(f"{i},{2 * i}\n" for i in range(20))
    message = refusal(tmp_path, f"x,price\n{rows}3O,7\n")
    assert "column 'x' holds numbers, but 1 of its values are not, the first in line 22" in message
    assert "'3O'" in message
    assert "data.categorical or data.ignore: [x]" in message


def test_a_column_of_names_is_refused(tmp_path: Path) -> None:
    rows = "".join(f"name{i},{i}\n" for i in range(150))
    message = refusal(tmp_path, f"who,price\n{rows}")
    assert "column 'who' has 150 different texts" in message
    assert "data.ignore: [who]" in message


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("", {}, "has no rows below its header"),
        ("a,price\n", {}, "has no rows below its header"),
        (HOUSES + "1,2\n", {}, "line 8 has 2 values, the header 4 | "),
        (HOUSES + "1,2\n3\n1,2,3\n", {}, "the header 4; other lines that do not fit: 2 | "),
        ("a,a,price\n1,2,3\n4,5,6\n", {}, "two columns are called 'a'"),
        (",price\n0,2\n1,5\n", {}, "column 1 has no name; its values are '0', '1' ..."),
        ("a;price\n1,5;2\n2;3\n", {}, 'line 2 has 2 values, the header 1 | data.delimiter: ";"'),
        (HOUSES, {"target": "prize"}, "has no column 'prize'; it has size, town, age, price"),
        (HOUSES, {"ignore": ["size", "twon"]}, "has no column 'twon'"),
        ("price\n1\n2\n", {}, "no column is left to learn from"),
        ("a,price\n1,2\n3,cheap\n", {}, "line 3: target 'price' is 'cheap' | "),
        ("a,price\n1,2\n3,\n4,?\n", {}, "target 'price' is ''; other rows without one: 1 | "),
        ("a,price\n1,2\n3,inf\n", {}, "line 3: target 'price' is 'inf'"),
        ("a,price\n1,x\n3,x\n", {"task": "classification"}, "every row has the target 'x'"),
        (b"a,price\n\xff,2\n", {}, "line 2: a character is not UTF-8"),
        (b'a,price\n"1,2\n', {}, "line 2: unexpected end of data"),
        ("a,price\n1e39,2\n3,4\n5,6\n7,8\n9,1\n2,2\n", {}, "first in line 2: '1e39'"),
        ("a,price\n1,2\n3,1e39\n", {}, "line 3: target 'price' is '1e39'"),
        ("a,price\n1,2\n3,1_000\n", {}, "line 3: target 'price' is '1_000'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(
    tmp_path: Path, text: str | bytes, settings: dict[str, Any], expected: str
) -> None:
    assert expected in refusal(tmp_path, text, **settings)


def test_too_many_classes_is_probably_a_regression(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i}.5\n" for i in range(300))
    message = refusal(tmp_path, f"a,price\n{rows}", task="classification")
    assert "has 300 classes in 300 rows" in message
    assert "data.task: regression" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no file .*no\.csv"):
        Csv(path=str(tmp_path / "no.csv"), target="y", task="regression").read()


def test_none_may_be_a_class_and_an_empty_field_may_not(tmp_path: Path) -> None:
    text = "a,kind\n1,none\n2,some\n3,none\n4,some\n"
    source = read(tmp_path, text, target="kind", task="classification")
    assert source.class_names == ("none", "some")
    assert "target 'kind' is ''" in refusal(
        tmp_path, text.replace("4,some", "4,"), target="kind", task="classification"
    )


@pytest.mark.parametrize("delimiter", ['"', "\n", "::", ""])
def test_what_cannot_stand_between_values(delimiter: str) -> None:
    with pytest.raises(ValueError, match="delimiter"):
        Csv(path="t.csv", target="y", task="regression", delimiter=delimiter)


def test_quoted_text_may_hold_delimiters_quotes_and_ends_of_lines(tmp_path: Path) -> None:
    text = HOUSES.replace('"Ulm"', '"Ulm, ""Old\r\nTown"""')
    assert 'Ulm, "Old\r\nTown"' in read(tmp_path, text).columns[1]["categories"]


def test_decimal_commas(tmp_path: Path) -> None:
    text = "a;price\n" + "".join(f"{i},5;{2 * i},25\n" for i in range(9))
    source = read(tmp_path, text, delimiter=";", decimal=",")
    assert source.test.inputs.tolist() == [[0.5], [1.5]]
    assert source.test.targets.tolist() == [0.25, 2.25]
    assert "between thousands, the first in line 5: '1.003,5'" in refusal(
        tmp_path, text.replace("\n3,5;", "\n1.003,5;"), delimiter=";", decimal=","
    )


def test_decimal_commas_are_not_taken_for_categories(tmp_path: Path) -> None:
    text = "a;price\n" + "".join(f"{i},5;{2 * i}\n" for i in range(9))
    message = refusal(tmp_path, text, delimiter=";")
    assert "column 'a' holds numbers with a decimal ',', the first in line 2: '0,5'" in message
    assert message.endswith('data.decimal: ","')
    quoted = "a,price\n" + "".join(f'"{i},5",{2 * i}\n' for i in range(9))
    assert refusal(tmp_path, quoted).endswith('and another data.delimiter, such as ";"')
    source = read(tmp_path, text, delimiter=";", categorical=["a"])
    assert len(source.columns[0]["categories"]) == 9


def test_separators_between_thousands_are_refused(tmp_path: Path) -> None:
    text = "a;price\n" + "".join(f"{i},234.50;{2 * i}\n" for i in range(1, 9))
    message = refusal(tmp_path, text, delimiter=";")
    assert "'a' holds numbers with separators between thousands, the first in line 2" in message
    assert len(read(tmp_path, text, delimiter=";", categorical=["a"]).columns) == 1


def test_another_delimiter_is_proposed(tmp_path: Path) -> None:
    assert refusal(tmp_path, HOUSES.replace(",", ";")).endswith('data.delimiter: ";"')
    assert refusal(tmp_path, HOUSES.replace(",", "\t")).endswith('data.delimiter: "\\t"')


def test_delimiter_and_decimal_differ() -> None:
    with pytest.raises(ValueError, match='decimal: "," is the delimiter too'):
        Csv(path="t.csv", target="y", task="regression", decimal=",")


@pytest.mark.parametrize("day", ["2026-01-{:02}", "{}.1.2026", "1/{}/26", "2026-01-{:02}T10:00:00"])
def test_dates_are_refused_unless_they_are_left_out(tmp_path: Path, day: str) -> None:
    text = "when,a,price\n" + "".join(f"{day.format(i)},{i % 3},{i}\n" for i in range(1, 9))
    message = refusal(tmp_path, text)
    assert f"column 'when' holds dates, the first in line 2: '{day.format(1)}'" in message
    assert "data.ignore: [when]" in message
    assert len(read(tmp_path, text, ignore=["when"]).columns) == 1


def test_more_categories_can_be_allowed(tmp_path: Path) -> None:
    text = "who,price\n" + "".join(f"name{i},{i}\n" for i in range(150))
    assert "over 100" in refusal(tmp_path, text)
    source = read(tmp_path, text, max_categories=150)
    assert source.train.inputs.shape == (148, 150)


def test_truth_values_are_two_categories(tmp_path: Path) -> None:
    text = "a,b,price\n" + "".join(f"{i % 2 == 0},{i},{i}\n" for i in range(9))
    source = read(tmp_path, text)
    assert source.columns[0]["categories"] == ["False", "True"]
    assert source.test.inputs.tolist() == [[0, 1, 0], [1, 0, 1]]


def test_a_gap_becomes_the_median_of_the_training_split(tmp_path: Path) -> None:
    """Of 1, 2, 100 the median is 2 and the mean 34.3."""
    text = "a,price\n7,1\n7,1\n1,1\n2,2\n100,3\n,4\n"
    for missing, expected in (("median", 2), ("mean", 103 / 3)):
        (tmp_path / "t.csv").write_text(text)
        data = prepare(
            Csv.model_validate(
                {
                    "path": str(tmp_path / "t.csv"),
                    "target": "price",
                    "task": "regression",
                    "test": {"first": 2},
                    "validation": None,
                    "missing": missing,
                    "standardize": "none",
                }
            )
        )
        assert data.train.inputs[:, 0].tolist() == pytest.approx([1, 2, 100, expected])


# --- Parquet ---------------------------------------------------------------------------------


def parquet(folder: Path, **columns: Any) -> Path:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    path = folder / "t.parquet"
    write_table(arrow.table(columns), path)
    return path


def of_parquet(path: Path, **settings: Any) -> Source:
    chosen = {"target": "price", "task": "regression", "test": {"first": 2}} | settings
    return Parquet.model_validate({"path": str(path), **chosen}).read()


def test_a_parquet_file_is_read_like_the_csv_file_of_the_same_values(tmp_path: Path) -> None:
    path = parquet(
        tmp_path,
        size=[100, 80, 120, 90, 60, 110],
        town=["Ulm", "Bonn", "Ulm", "Köln", "Bonn", "Ulm"],
        age=[3.0, 40.0, 7.0, 12.0, 80.0, 1.0],
        price=[250, 150, 310, 200, 90, 290],
    )
    one, other = of_parquet(path), read(tmp_path)
    for left, right in ((one.train, other.train), (one.test, other.test)):
        assert (left.inputs == right.inputs).all()
        assert (left.targets == right.targets).all()
    assert one.columns == other.columns


def test_nulls_truth_values_and_days_of_parquet(tmp_path: Path) -> None:
    import datetime

    path = parquet(
        tmp_path,
        sold=[True, False, True, None],
        area=[1.5, None, float("nan"), 2.0],
        built=[datetime.date(2001, 1, day) for day in (1, 2, 3, 4)],
        rooms=[[1], [2], [3], [4]],
        price=[1.0, 2.0, 3.0, 4.0],
    )
    leave_out = {"ignore": ["built", "rooms"]}
    source = of_parquet(path, missing="mean", **leave_out)
    assert source.columns[0]["categories"] == ["false", "true"]
    assert source.test.inputs[0].tolist() == [0, 1, 1.5]
    assert np.isnan(source.test.inputs[1, 2])
    assert np.isnan(source.train.inputs[0, 2])
    with pytest.raises(DataError, match=r"'sold' 1 \(first in line 4\), 'area' 2"):
        of_parquet(path, **leave_out)
    with pytest.raises(DataError, match="column 'built' holds dates"):
        of_parquet(path, missing="mean", ignore=["rooms"])
    with pytest.raises(DataError, match=r"'rooms' holds list<.*neither numbers nor text") as caught:
        of_parquet(path, missing="mean", ignore=["built"])
    assert "data.ignore: [rooms]" in caught.value.remedy


def test_a_delimiter_at_the_end_of_each_line_makes_no_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,price,\n1,2,\n3,4,\n")
    assert Table.read(path).header == ["a", "price"]
    assert Table.read(path).rows == [["1", "2"], ["3", "4"]]


def test_what_is_wrong_with_several_columns_is_said_at_once(tmp_path: Path) -> None:
    rows = "".join(f"n{i},0{i % 9 + 1}.02.2020,{i}\n" for i in range(150))
    said = refusal(tmp_path, "name,since,price\n" + rows)
    assert "2 columns cannot be used as they are" in said
    assert "'name' has 150 different texts" in said
    assert "'since' holds dates, the first in line 2" in said
    assert said.count("data.ignore: [") == 2
