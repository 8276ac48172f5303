"""Datasets: what a net learns from. To add one: a class in this folder and its word below."""

from typing import Annotated

from dnnlab.choices.datasets.bundled import Diabetes, Digits
from dnnlab.choices.datasets.dataset import Dataset, Examples, Holdout, Signature, Source
from dnnlab.choices.datasets.images import FashionMnist
from dnnlab.choices.datasets.table import Csv
from dnnlab.spec import Family

Data = Annotated[Digits | Diabetes | FashionMnist | Csv, Family("data")]

__all__ = [
    "Csv",
    "Data",
    "Dataset",
    "Diabetes",
    "Digits",
    "Examples",
    "FashionMnist",
    "Holdout",
    "Signature",
    "Source",
]
