"""Made data: points of the plane that a straight line cannot separate. Functions of their seed."""

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from dnnlab.choices.datasets.dataset import Dataset, Examples, Held, Holdout, Signature, Source
from dnnlab.choices.losses import Task
from dnnlab.randomness import key
from dnnlab.spec import NonNegative, Positive

if TYPE_CHECKING:
    import numpy as np

Points = Annotated[int, Field(ge=10, le=10**8)]


class Made(Dataset):
    """Points whose class is known from how they are made. Abstract."""

    examples: Points = 1000
    """Points in all, as many of each class, or one less."""
    noise: NonNegative = 0.1
    """Standard deviation of what is added to both coordinates."""
    seed: int = 0
    """Which points; it is not the training's seed."""
    test: Held = Holdout(fraction=0.2)
    """Held out for the test."""

    @property
    def num_classes(self) -> int:
        """Two, unless a setting says otherwise."""
        return 2

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((2,), self.num_classes, "classification")

    @abstractmethod
    def points(self, generator: "np.random.Generator") -> "tuple[np.ndarray, np.ndarray]":
        """Returns points (N, 2) without noise, and their classes (N,)."""

    def read(self) -> Source:
        """Makes the points and adds the noise."""
        import numpy as np

        generator = np.random.default_rng(key(self.seed, "made", self.name))
        points, classes = self.points(generator)
        inputs = points + self.noise * generator.normal(size=points.shape)
        train, held = self.test.divide(Examples(inputs, classes.astype("int64")), "test")
        names = tuple(str(number) for number in range(self.num_classes))
        return Source(train, held, class_names=names)

    def taking_turns(self) -> "tuple[np.ndarray, np.ndarray]":
        """Returns classes 0, 1, ..., 0, 1, ... and where each point stands among those of its own,
        evenly from 0 to 1 without both.
        """
        import numpy as np

        classes = np.arange(self.examples) % self.num_classes
        sizes: np.ndarray = np.bincount(classes, minlength=self.num_classes)[classes]
        return classes, (np.arange(self.examples) // self.num_classes + 0.5) / sizes


class Spiral(Made):
    """Arms of a spiral around the origin, one class each.

        (r sin a, r cos a) + noise,  r = t,  a = 2 pi (turns t + class / arms),  0 < t < 1

    Source: Lang and Witbrock, 1988, two arms; three as in Stanford's CS231n notes.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["spiral"] = "spiral"
    arms: Annotated[int, Field(ge=2, le=100)] = 3
    """How many there are; each is a class."""
    turns: Positive = 0.75
    """How often an arm winds around the origin."""
    noise: NonNegative = 0.03
    """Standard deviation of what is added to both coordinates."""

    @property
    def num_classes(self) -> int:
        """The arms."""
        return self.arms

    def points(self, generator: "np.random.Generator") -> "tuple[np.ndarray, np.ndarray]":
        """Returns points (N, 2) without noise, and their classes (N,)."""
        import numpy as np

        classes, along = self.taking_turns()
        angle = 2 * math.pi * (self.turns * along + classes / self.arms)
        return along[:, None] * np.stack((np.sin(angle), np.cos(angle)), axis=1), classes


class Moons(Made):
    """Two half circles, each of which reaches into the other.

        class 0: (cos a, sin a);  class 1: (1 - cos a, 1/2 - sin a);  0 < a < pi;  + noise

    Source: scikit-learn's make_moons.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["moons"] = "moons"

    def points(self, generator: "np.random.Generator") -> "tuple[np.ndarray, np.ndarray]":
        """Returns points (N, 2) without noise, and their classes (N,)."""
        import numpy as np

        classes, along = self.taking_turns()
        angle = math.pi * along
        outer = np.stack((np.cos(angle), np.sin(angle)), axis=1)
        inner = np.stack((1 - np.cos(angle), 0.5 - np.sin(angle)), axis=1)
        return np.where(classes[:, None] == 0, outer, inner), classes


class Circles(Made):
    """A circle around a smaller one.

        class 0: (cos a, sin a);  class 1: factor (cos a, sin a);  0 < a < 2 pi;  + noise

    Source: scikit-learn's make_circles.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["circles"] = "circles"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Radius of the inner circle; the outer has 1."""

    def points(self, generator: "np.random.Generator") -> "tuple[np.ndarray, np.ndarray]":
        """Returns points (N, 2) without noise, and their classes (N,)."""
        import numpy as np

        classes, along = self.taking_turns()
        angle = 2 * math.pi * along
        radius = np.where(classes == 0, 1.0, self.factor)
        return radius[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1), classes


class Xor(Made):
    """A square of four fields, of which those at opposite corners belong together.

        class 1 where x1 and x2 have different signs;  x1, x2 uniform in -1..1;  + noise

    Source: Minsky and Papert, 1969: no net without a hidden layer learns it.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["xor"] = "xor"
    noise: NonNegative = 0.0
    """Standard deviation of what is added to both coordinates, after the class is known."""

    def points(self, generator: "np.random.Generator") -> "tuple[np.ndarray, np.ndarray]":
        """Returns points (N, 2) without noise, and their classes (N,)."""
        points = generator.uniform(-1, 1, size=(self.examples, 2))
        classes = (points[:, 0] < 0) != (points[:, 1] < 0)
        return points, classes
