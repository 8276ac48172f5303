"""Datasets: what a net learns from.

To add one: write its class in a file of this folder and name it in the `members` of `Dataset`.
"""

from dnnlab.choices.datasets.dataset import Dataset, Examples, Holdout, Signature, Source

__all__ = ["Dataset", "Examples", "Holdout", "Signature", "Source"]
