"""Real datasets that come with scikit-learn: small, and always at hand."""

import string
from typing import Any, Literal

from dnnlab.choices.datasets.dataset import Dataset, Examples, Held, Holdout, Signature, Source
from dnnlab.choices.losses import Task


class Digits(Dataset):
    """1,797 handwritten digits of 8 x 8 pixels, values 0 to 16, ten classes. Needs no download.

        1,797 = training + validation + test

    Source: Alpaydin and Kaynak, 1998, UCI; the copy in scikit-learn.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["digits"] = "digits"
    test: Held = Holdout(fraction=0.2)
    """Held out for the test; the data have no test split of their own."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((8, 8), 10, "classification")

    def known_class_names(self) -> tuple[str, ...]:
        """Returns the digits."""
        return tuple(string.digits)

    def read(self) -> Source:
        """Reads the bundled copy."""
        from sklearn.datasets import load_digits

        data = load_digits()
        examples = Examples(data.images.astype("float32"), data.target.astype("int64"))
        train, test = self.test.divide(examples, "test")
        return Source(train, test, class_names=self.known_class_names())


class Wine(Dataset):
    """178 Italian wines, thirteen chemical measurements each, from three growers.

        178 = training + validation + test

    Source: Forina et al., 1991, UCI; the copy in scikit-learn.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["wine"] = "wine"
    test: Held = Holdout(fraction=0.2)
    """Held out for the test; the data have no test split of their own."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((13,), 3, "classification")

    def read(self) -> Source:
        """Reads the bundled copy."""
        from sklearn.datasets import load_wine

        return _classes(load_wine(), self.test)


class BreastCancer(Dataset):
    """569 tumours, thirty measurements of their cells each: malignant (0) or benign (1).

        569 = training + validation + test

    Source: Street, Wolberg and Mangasarian, 1993, UCI; the copy in scikit-learn.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["breast_cancer"] = "breast_cancer"
    test: Held = Holdout(fraction=0.2)
    """Held out for the test; the data have no test split of their own."""

    @property
    def task_of_data(self) -> Task:
        """Classification."""
        return "classification"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((30,), 2, "classification")

    def read(self) -> Source:
        """Reads the bundled copy."""
        from sklearn.datasets import load_breast_cancer

        return _classes(load_breast_cancer(), self.test)


def _classes(data: Any, test: Holdout) -> Source:
    """Takes what scikit-learn gives for a classification, in float64 until it is scaled."""
    examples = Examples(data.data.astype("float64"), data.target.astype("int64"))
    train, held = test.divide(examples, "test")
    return Source(train, held, class_names=tuple(str(name) for name in data.target_names))


class Diabetes(Dataset):
    """442 patients, ten measurements each, and how far the disease had gone a year later.

        target: 25 to 346

    Source: Efron, Hastie, Johnstone and Tibshirani, 2004; the copy in scikit-learn, unscaled.
    Keras and PyTorch: not among their datasets.
    """

    name: Literal["diabetes"] = "diabetes"
    test: Held = Holdout(fraction=0.2)
    """Held out for the test; the data have no test split of their own."""

    @property
    def task_of_data(self) -> Task:
        """Regression."""
        return "regression"

    def signature(self) -> Signature:
        """Returns the shapes."""
        return Signature((10,), 1, "regression")

    def read(self) -> Source:
        """Reads the bundled copy."""
        from sklearn.datasets import load_diabetes

        data = load_diabetes(scaled=False)
        examples = Examples(data.data.astype("float32"), data.target.astype("float32"))
        train, test = self.test.divide(examples, "test")
        return Source(train, test)
