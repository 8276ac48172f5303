from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import make_circles, make_moons

from dnnlab.choices.datasets import Dataset
from dnnlab.choices.datasets.made import Circles, Moons, Spiral, Xor

EVERY = [Spiral(), Moons(), Circles(), Xor(noise=0.1)]


def whole(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    source = dataset.read()
    return (
        np.concatenate([source.train.inputs, source.test.inputs]),
        np.concatenate([source.train.targets, source.test.targets]),
    )


@pytest.mark.parametrize("dataset", EVERY, ids=lambda dataset: dataset.name)
def test_as_many_of_each_class_and_a_fifth_held_out(dataset: Dataset) -> None:
    source = dataset.read()
    assert (len(source.train), len(source.test)) == (800, 200)
    signature = dataset.signature()
    assert signature is not None
    assert source.train.inputs.shape[1:] == signature.input_shape
    assert source.class_names == tuple(str(i) for i in range(signature.num_outputs))
    counts = np.bincount(whole(dataset)[1])
    # xor's classes are thrown like a coin: 5 standard deviations of 1,000 throws are 79.
    assert counts.max() - counts.min() <= (158 if dataset.name == "xor" else 1)


@pytest.mark.parametrize("dataset", EVERY, ids=lambda dataset: dataset.name)
def test_a_function_of_the_seed(dataset: Dataset) -> None:
    again = dataset.model_copy()
    other = dataset.model_copy(update={"seed": 1})
    assert (again.read().train.inputs == dataset.read().train.inputs).all()
    assert (other.read().train.inputs != dataset.read().train.inputs).any()


def test_a_spiral_without_noise_winds_as_its_formula_says() -> None:
    points, classes = whole(Spiral(noise=0, turns=0.5, arms=4, examples=400))
    radius = np.hypot(*points.T)
    # Between 0 and 1 at the middles of 100 equal steps.
    for number in range(4):
        np.testing.assert_allclose(np.sort(radius[classes == number]), (np.arange(100) + 0.5) / 100)
    angle = np.arctan2(points[:, 0], points[:, 1])
    turned = (angle - 2 * np.pi * (0.5 * radius + classes / 4)) / (2 * np.pi)
    np.testing.assert_allclose(turned, turned.round(), atol=1e-12)


def test_moons_lie_on_scikit_learn_s_two_arcs() -> None:
    points, classes = whole(Moons(noise=0))
    np.testing.assert_allclose(np.hypot(*points[classes == 0].T), 1)
    np.testing.assert_allclose(np.hypot(*(points[classes == 1] - [1, 0.5]).T), 1)
    theirs, labels = make_moons(1000, noise=None)
    for number in (0, 1):
        # They include both ends of the arc: a step of pi / 500 apart from ours at the most.
        for way in (points[classes == number], theirs[labels == number]):
            np.testing.assert_allclose(way.mean(0), points[classes == number].mean(0), atol=2e-3)


def test_circles_have_the_radii_of_scikit_learn_s() -> None:
    points, classes = whole(Circles(noise=0, factor=0.3))
    theirs, labels = make_circles(1000, noise=None, factor=0.3)
    for number in (0, 1):
        expected = np.hypot(*theirs[labels == number].T)
        np.testing.assert_allclose(np.hypot(*points[classes == number].T), expected)


def test_xor_is_the_product_of_the_signs() -> None:
    points, classes = whole(Xor())
    assert ((points[:, 0] * points[:, 1] < 0) == (classes == 1)).all()
    assert np.abs(points).max() <= 1


def test_noise_has_its_standard_deviation() -> None:
    """Of 20,000 numbers: within 5 standard errors, 0.2 * 5 / sqrt(40,000)."""
    still, _ = whole(Moons(noise=0, examples=10_000))
    noisy, _ = whole(Moons(noise=0.2, examples=10_000))
    assert (noisy - still).std() == pytest.approx(0.2, abs=0.005)
