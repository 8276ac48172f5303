"""Augmentation: every update sees the images of its batch changed a little, at random."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from dnnlab.spec import Conflict, Spec

if TYPE_CHECKING:
    from torch import Generator, Tensor

Pixels = Annotated[int, Field(ge=0)]


class Augmentation(Spec):
    """Random changes of the training images: each image of each update has its own draw.

        out[y, x] = in[y - dy, x - dx], 0 from outside; then mirrored; then a square is 0

    Zeros are those of the data as read. What is evaluated is never changed. The draws are functions
    of (seed, update), the same on every device.

    Source: Krizhevsky et al., 2012, section 4.1; crop: He et al., 2016, section 4.2; cutout:
    DeVries and Taylor, 2017.
    Keras: RandomTranslation and RandomFlip, which take shares of the side and fill by reflection.
    PyTorch: torchvision's RandomCrop and RandomHorizontalFlip draw once for a batch of tensors.
    """

    shift: Pixels = 0
    """Moves an image by up to so many pixels in each direction, every distance equally likely."""
    flip: bool = False
    """Mirrors every other image, by chance: left becomes right."""
    crop: Pixels = 0
    """Pads by so many pixels and cuts the old size out of it anywhere: another word for shift."""
    cutout: Pixels = 0
    """Side of a square that becomes 0; its middle is any pixel, and beyond the edge it is cut."""

    @property
    def moves(self) -> bool:
        """Whether pixels come to stand elsewhere than they were, mirroring left aside."""
        return bool(self.shift or self.crop)

    @model_validator(mode="after")
    def _does_something_once(self) -> Self:
        if self.shift and self.crop:
            raise ValueError("shift and crop are the same: give one of them")
        if not (self.shift or self.flip or self.crop or self.cutout):
            raise ValueError("give one of shift, flip, crop, cutout, or leave it out")
        return self

    def conflicts_with(self, input_shape: tuple[int, ...]) -> Iterator[Conflict]:
        """Yields where and why it cannot be done to inputs of this shape."""
        if len(input_shape) not in (2, 3):
            is_what = f"{input_shape[0]} numbers" if len(input_shape) == 1 else f"{input_shape}"
            yield ("data", "augmentation"), f"is for images, but an example is {is_what}"
            return
        height, width = input_shape[-2:]
        for name in ("shift", "crop", "cutout"):
            pixels = getattr(self, name)
            if pixels >= min(height, width):
                text = f"{pixels} pixels are a whole side of an image of {height} x {width}"
                yield ("data", "augmentation", name), text

    def build(self) -> "Callable[[Tensor, Generator], Tensor]":
        """Returns the function of images (B, H, W) or (B, C, H, W) and a generator on the CPU."""
        from dnnlab.kernels.augmentation import augmented, drawn

        shift, flip, cutout = self.shift or self.crop, self.flip, self.cutout

        def augment(images: "Tensor", generator: "Generator") -> "Tensor":
            draws = drawn(images.shape, generator, shift=shift).to(images.device)
            return augmented(images, draws, shift=shift, flip=flip, cutout=cutout)

        return augment
