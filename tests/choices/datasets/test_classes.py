from __future__ import annotations

import pytest

from dnnlab.choices.datasets.classes import Relabelling, numbers_of
from dnnlab.errors import DataError

CLOTHES = ("Shirt", "Coat", "Bag")


def refusal(words: list[str], names: tuple[str, ...] = CLOTHES) -> str:
    with pytest.raises(DataError) as caught:
        numbers_of(words, names, "data.classes")
    return f"{caught.value.message} | {caught.value.remedy}"


def test_by_name_and_by_number() -> None:
    assert numbers_of(["Bag", "Shirt"], CLOTHES, "x") == (2, 0)
    assert numbers_of(["2", "Coat"], CLOTHES, "x") == (2, 1)


def test_a_number_is_a_name_where_all_classes_are_called_by_numbers() -> None:
    assert numbers_of(["10", "9"], ("9", "10", "100"), "x") == (1, 0)
    assert "no class is called '0'" in refusal(["0"], ("9", "10", "100"))
    assert numbers_of(["-1"], ("-1", "1"), "x") == (0,)


def test_an_unknown_class_is_refused_with_the_nearest() -> None:
    text = refusal(["bags"])
    assert "no class is called 'bags'; did you mean 'Bag'?" in text
    assert "the classes are 0 Shirt, 1 Coat, 2 Bag" in text
    assert "no class is called '3' |" in refusal(["3"])


def test_many_classes_are_listed_in_part() -> None:
    names = tuple(f"class{number}" for number in range(40))
    assert refusal(["nothing alike"], names).endswith("29 class29 and 10 more")


def test_a_class_named_twice_is_refused() -> None:
    assert "class 1 ('Coat') is named twice" in refusal(["Coat", "1"])


def test_classes_are_renumbered_in_the_order_given() -> None:
    kept = Relabelling.of((2, 0), CLOTHES)
    assert kept.new.tolist() == [1, -1, 0]
    assert kept.names == ("Bag", "Shirt")


def test_one_class_against_the_rest() -> None:
    binary = Relabelling.against_the_rest(1, (0, 1), CLOTHES)
    assert binary.new.tolist() == [0, 1, -1]
    assert binary.names == ("not Coat", "Coat")
