"""Images shifted, mirrored and cut out: each image of a batch by its own draw, all at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

# Legend: B batch, C channels, H height, W width.


@dataclass(frozen=True)
class Draws:
    """What happens to each image: one row of five whole numbers, (B, 5)."""

    rows: Tensor

    def to(self, device: torch.device) -> Draws:
        """Returns the draws on a device."""
        return Draws(self.rows.to(device))

    @property
    def down(self) -> Tensor:
        """Pixels by which an image moves down (B,); up where negative."""
        return self.rows[:, 0]

    @property
    def right(self) -> Tensor:
        """Pixels by which an image moves to the right (B,)."""
        return self.rows[:, 1]

    @property
    def mirrored(self) -> Tensor:
        """1 where an image is mirrored (B,)."""
        return self.rows[:, 2]

    @property
    def middle(self) -> tuple[Tensor, Tensor]:
        """The row and the column of the middle of the square that is cut out, each (B,)."""
        return self.rows[:, 3], self.rows[:, 4]


def drawn(shape: torch.Size, generator: torch.Generator, *, shift: int) -> Draws:
    """Draws what may happen to a batch of this shape, (B, ..., H, W), moved by up to `shift`.

    The generator is one of the CPU: its numbers are the same whatever the images lie on. All five
    numbers are always drawn, so that one setting does not change the draws of another.
    """
    batch, (height, width) = shape[0], shape[-2:]

    def below(limit: int) -> Tensor:
        return torch.randint(limit, (batch,), generator=generator)

    down, right = below(2 * shift + 1) - shift, below(2 * shift + 1) - shift
    return Draws(torch.stack((down, right, below(2), below(height), below(width)), dim=1))


def augmented(
    images: Tensor, draws: Draws, *, shift: int = 0, flip: bool = False, cutout: int = 0
) -> Tensor:
    """Returns images (B, H, W) or (B, C, H, W), moved, then mirrored, then with a square of 0.

    What comes from outside an image is 0; no draw moves it by more than `shift`. The square has the
    side `cutout` and covers the rows middle - cutout // 2 and on, as far as they are in the image.
    """
    batch, (height, width) = len(images), images.shape[-2:]
    out_BCHW = images.reshape(batch, -1, height, width)
    if shift:
        padded = pad(out_BCHW, (shift, shift, shift, shift))
        # All places in which the old size fits, a view: (B, C, down, right, H, W).
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        each = torch.arange(batch, device=images.device)
        out_BCHW = windows[each, :, shift - draws.down, shift - draws.right]
    if flip:
        out_BCHW = out_BCHW.flip(3).where(draws.mirrored[:, None, None, None] > 0, out_BCHW)
    if cutout:
        top, left = (each[:, None] - cutout // 2 for each in draws.middle)
        rows_H = torch.arange(height, device=images.device)
        columns_W = torch.arange(width, device=images.device)
        cut_BH = (rows_H >= top) & (rows_H < top + cutout)
        cut_BW = (columns_W >= left) & (columns_W < left + cutout)
        cut_B1HW = cut_BH[:, None, :, None] & cut_BW[:, None, None, :]
        out_BCHW = out_BCHW.masked_fill(cut_B1HW, 0)
    return out_BCHW.reshape(images.shape)
