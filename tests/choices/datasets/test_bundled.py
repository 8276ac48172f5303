from __future__ import annotations

import numpy as np

from dnnlab.choices.datasets.bundled import BreastCancer, Diabetes, Digits, Wine


def test_digits() -> None:
    source = Digits().read()
    assert len(source.train) + len(source.test) == 1797
    assert source.train.inputs.shape[1:] == (8, 8)
    assert (source.train.inputs.min(), source.train.inputs.max()) == (0, 16)
    assert set(source.test.targets) == set(range(10))
    assert len(source.class_names) == 10


def test_diabetes() -> None:
    source = Diabetes().read()
    assert len(source.train) + len(source.test) == 442
    targets = np.concatenate([source.train.targets, source.test.targets])
    assert (targets.min(), targets.max()) == (25, 346)
    assert source.class_names == ()
    assert source.train.inputs[:, 0].max() > 60  # ages in years: not scaled


def test_wine_and_breast_cancer() -> None:
    for dataset, total, counts in (
        (Wine(), 178, [59, 71, 48]),
        (BreastCancer(), 569, [212, 357]),
    ):
        source, signature = dataset.read(), dataset.signature()
        assert len(source.train) + len(source.test) == total
        assert source.train.inputs.shape[1:] == signature.input_shape
        # The counts of the classes as UCI publishes them.
        targets = np.concatenate([source.train.targets, source.test.targets])
        assert np.bincount(targets).tolist() == counts
        assert len(source.class_names) == signature.num_outputs
    assert BreastCancer().read().class_names == ("malignant", "benign")
