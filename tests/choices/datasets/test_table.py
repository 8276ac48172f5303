from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnnlab.choices.datasets import Source
from dnnlab.choices.datasets.table import Csv, Table, encode
from dnnlab.errors import DataError

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
        (HOUSES + "1,2\n", {}, "line 8 has 2 values, the header 4"),
        ("a,a,price\n1,2,3\n4,5,6\n", {}, "every column needs its own name; 'a'"),
        (HOUSES, {"target": "prize"}, "has no column 'prize'; it has size, town, age, price"),
        (HOUSES, {"ignore": ["size", "twon"]}, "has no column 'twon'"),
        ("price\n1\n2\n", {}, "no column is left to learn from"),
        ("a,price\n1,2\n3,cheap\n", {}, "line 3: target 'price' is 'cheap'"),
        ("a,price\n1,2\n3,\n", {}, "line 3: target 'price' is ''"),
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


def test_new_rows_are_encoded_like_those_learned_from(tmp_path: Path) -> None:
    columns = read(tmp_path).columns
    path = tmp_path / "new.csv"
    path.write_text("age,town,size,note\n5,Ulm,70,x\n6,Graz,75,y\n", encoding="utf-8")
    inputs, unknown = encode(Table.read(path), columns)
    assert inputs.tolist() == [[70, 0, 0, 1, 5], [75, 0, 0, 0, 6]]
    assert unknown == {"town": 1}
    path.write_text("age,town\n5,Ulm\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no column 'size'"):
        encode(Table.read(path), columns)
    path.write_text("size,age,town\nbig,5,Ulm\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: 'big' in column 'size' is no number"):
        encode(Table.read(path), columns)


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
