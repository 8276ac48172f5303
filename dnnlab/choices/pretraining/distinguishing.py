"""Pretraining that tells things apart whose answer is known without a label, or with few."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Literal

from dnnlab.choices.architectures import Architecture
from dnnlab.choices.architectures.layers import LayerSettings
from dnnlab.choices.datasets import Dataset, Signature
from dnnlab.choices.losses import Task
from dnnlab.choices.pretraining import Lesson, Pretraining
from dnnlab.spec import Conflict

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from dnnlab.kernels.network import Network


class Rotation(Pretraining):
    """Turns each image by 0, 90, 180 or 270 degrees, and learns to say by how much.

        the image, turned r quarters to the left, r in 0..3 at random -> the net -> r

    To know which way up a thing is one has to know what it is. Turned is the image as the net gets
    it, so that all pixels must have been scaled alike: data.standardize must not be per_feature.
    Source: Gidaris, Singh and Komodakis, 2018; there a batch has every image in all four ways, here
    in one that is drawn anew at each update.
    Keras and PyTorch: none; numpy.rot90 and torch.rot90 turn.
    """

    name: Literal["rotation"] = "rotation"
    task: ClassVar[Task] = "classification"
    class_names: ClassVar[tuple[str, ...]] = ("0", "90", "180", "270")

    def conflicts(
        self, architecture: Architecture, settings: LayerSettings, data: Dataset
    ) -> Iterator[Conflict]:
        """Yields a standardization that tells by itself which way up an image was."""
        if data.standardize == "per_feature":
            text = (
                "per_feature scales every pixel by itself, and rotation would move it to another's "
                "place; per_channel scales all alike"
            )
            yield ("data", "standardize"), text

    def conflicts_with(self, signature: Signature) -> Iterator[Conflict]:
        """Yields what cannot be turned."""
        shape = signature.input_shape
        shown = " x ".join(map(str, shape))
        if len(shape) == 1:
            text = f"rotation is for images, but an example has {shown} numbers in a row"
            yield ("pretraining",), text
        elif shape[-1] != shape[-2]:
            text = f"rotation is for square images; those of {shown} would change their shape"
            yield ("pretraining",), text

    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the architecture's net with four outputs."""
        return architecture.build(signature, settings)

    def lesson(self, inputs: "Tensor", targets: "Tensor") -> Lesson:
        """Returns what turns images."""
        from dnnlab.kernels.lessons import turned

        def lesson(
            inputs: "Tensor", targets: "Tensor", rows: "Tensor", generator: "Generator"
        ) -> "tuple[Tensor, Tensor]":
            return turned(inputs, generator)

        return lesson


class Pairs(Pretraining):
    """Tells of two examples whether they are of the same class: labels make very many pairs.

        (x, y) -> the same hidden layers for both -> |f(x) - f(y)| -> output -> same or different

    Every example of a batch meets one other of the split: of its own class for one half of them,
    up to one, and of any other class for the rest. Never itself, unless it is the only one of its
    class. Augmentation changes the first of the two.
    Source: Bromley et al., 1993, 'Signature verification using a siamese network'; Koch, Zemel and
    Salakhutdinov, 2015, where the weighted |f(x) - f(y)| is from.
    Keras and PyTorch: none; a model that is called twice.
    """

    name: Literal["pairs"] = "pairs"
    task: ClassVar[Task] = "classification"
    learns_labels: ClassVar[bool] = True
    class_names: ClassVar[tuple[str, ...]] = ("different", "same")
    answers_nothing: ClassVar[str] = "compares two examples, and says nothing of one"

    def conflicts(
        self, architecture: Architecture, settings: LayerSettings, data: Dataset
    ) -> Iterator[Conflict]:
        """Yields data without classes, and nets whose output is not told from the rest."""
        if data.task_of_data != "classification":
            text = f"pairs are of the same class or not, but data are for {data.task_of_data}"
            yield ("pretraining",), text
        if architecture.name == "torchvision":
            text = "pairs compares what stands before the output; torchvision's nets are one piece"
            yield ("pretraining",), text

    def build(
        self, architecture: Architecture, signature: Signature, settings: LayerSettings
    ) -> "Network":
        """Returns the architecture's net, its output looking at a difference."""
        from dnnlab.kernels.network import twins

        return twins(architecture.build(signature, settings))

    def given(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape of two examples."""
        return (2, *shape)

    def lesson(self, inputs: "Tensor", targets: "Tensor") -> Lesson:
        """Returns what puts another example beside each."""
        from dnnlab.kernels.lessons import Pairing

        pairing, split = Pairing(targets), inputs

        def lesson(
            inputs: "Tensor", targets: "Tensor", rows: "Tensor", generator: "Generator"
        ) -> "tuple[Tensor, Tensor]":
            return pairing(inputs, rows, split, generator)

        return lesson
