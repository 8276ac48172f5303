from __future__ import annotations

import numpy as np

from dnnlab.choices.datasets.bundled import Diabetes, Digits


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
