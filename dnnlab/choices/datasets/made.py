"""Made data: points of the plane that a straight line cannot separate. Functions of their seed."""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dnnlab.choices.datasets.dataset import Dataset, Examples, Held, Holdout, Signature, Source
from dnnlab.choices.losses import Task
from dnnlab.randomness import key
from dnnlab.spec import NonNegative, Positive

if TYPE_CHECKING:
    import numpy as np

Points = Annotated[int, Field(ge=10, le=10**8)]


class Spiral(Dataset):
    """Arms of a spiral around the origin, one class each.

        (r sin a, r cos a) + noise,  r = t,  a = 2 pi (turns t + class / arms),  0 < t < 1

    Source: Lang and Witbrock, 1988, two arms; three as in Stanford's CS231n notes.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["spiral"] = "spiral"
    examples: Points = 1000
    """Points in all, as many of each class, or one less."""
    arms: Annotated[int, Field(ge=2, le=100)] = 3
    """How many there are; each is a class."""
    turns: Positive = 0.75
    """How often an arm winds around the origin."""
    noise: NonNegative = 0.03
    """Standard deviation of what is added to both coordinates."""
    seed: int = 0
    """Which noise; it is not the training's seed."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((2,), self.arms, "classification")

    def read(self) -> Source:
        """Makes the points."""
        import numpy as np

        classes = np.arange(self.examples) % self.arms
        along = _along(classes, self.arms)
        angle = 2 * math.pi * (self.turns * along + classes / self.arms)
        points = along[:, None] * np.stack((np.sin(angle), np.cos(angle)), axis=1)
        return _source(points, classes, self.noise, _generator(self), self.test)


class Moons(Dataset):
    """Two half circles, each of which reaches into the other.

        class 0: (cos a, sin a);  class 1: (1 - cos a, 1/2 - sin a);  0 < a < pi;  + noise

    Source: scikit-learn's make_moons.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["moons"] = "moons"
    examples: Points = 1000
    """Points in all, as many of each class, or one less."""
    noise: NonNegative = 0.1
    """Standard deviation of what is added to both coordinates."""
    seed: int = 0
    """Which noise; it is not the training's seed."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((2,), 2, "classification")

    def read(self) -> Source:
        """Makes the points."""
        import numpy as np

        classes = np.arange(self.examples) % 2
        angle = math.pi * _along(classes, 2)
        outer = np.stack((np.cos(angle), np.sin(angle)), axis=1)
        inner = np.stack((1 - np.cos(angle), 0.5 - np.sin(angle)), axis=1)
        points = np.where(classes[:, None] == 0, outer, inner)
        return _source(points, classes, self.noise, _generator(self), self.test)


class Circles(Dataset):
    """A circle around a smaller one.

        class 0: (cos a, sin a);  class 1: factor (cos a, sin a);  0 < a < 2 pi;  + noise

    Source: scikit-learn's make_circles.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["circles"] = "circles"
    examples: Points = 1000
    """Points in all, as many of each class, or one less."""
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Radius of the inner circle; the outer has 1."""
    noise: NonNegative = 0.1
    """Standard deviation of what is added to both coordinates."""
    seed: int = 0
    """Which noise; it is not the training's seed."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((2,), 2, "classification")

    def read(self) -> Source:
        """Makes the points."""
        import numpy as np

        classes = np.arange(self.examples) % 2
        angle = 2 * math.pi * _along(classes, 2)
        radius = np.where(classes == 0, 1.0, self.factor)
        points = radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
        return _source(points, classes, self.noise, _generator(self), self.test)


class Xor(Dataset):
    """A square of four fields, of which those at opposite corners belong together.

        class 1 where x1 and x2 have different signs;  x1, x2 uniform in -1..1;  + noise

    Source: Minsky and Papert, 1969: no net without a hidden layer learns it.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["xor"] = "xor"
    examples: Points = 1000
    """Points in all."""
    noise: NonNegative = 0.0
    """Standard deviation of what is added to both coordinates, after the class is known."""
    seed: int = 0
    """Which points; it is not the training's seed."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((2,), 2, "classification")

    def read(self) -> Source:
        """Makes the points."""
        generator = _generator(self)
        points = generator.uniform(-1, 1, size=(self.examples, 2))
        classes = (points[:, 0] < 0) != (points[:, 1] < 0)
        return _source(points, classes, self.noise, generator, self.test)


def _along(classes: "np.ndarray", num_classes: int) -> "np.ndarray":
    """Returns where each point stands among those of its class, evenly from 0 to 1 without both."""
    import numpy as np

    sizes: np.ndarray = np.bincount(classes, minlength=num_classes)[classes]
    places: np.ndarray = (np.arange(len(classes)) // num_classes + 0.5) / sizes
    return places


def _generator(dataset: Spiral | Moons | Circles | Xor) -> "np.random.Generator":
    import numpy as np

    return np.random.default_rng(key(dataset.seed, "made", dataset.name))


def _source(
    points: "np.ndarray",
    classes: "np.ndarray",
    noise: float,
    generator: "np.random.Generator",
    test: Holdout,
) -> Source:
    """Adds the noise and takes the points apart; their classes take turns, as they were made."""
    inputs = points + noise * generator.normal(size=points.shape)
    train, held = test.divide(Examples(inputs, classes.astype("int64")), "test")
    names = tuple(str(number) for number in range(int(classes.max()) + 1))
    return Source(train, held, class_names=names)
