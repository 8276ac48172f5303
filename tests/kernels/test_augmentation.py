from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dnnlab.kernels.augmentation import Draws, augmented, drawn
from tests.support import needs_cuda


def draws(*rows: tuple[int, int, int, int, int]) -> Draws:
    return Draws(torch.tensor(rows))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one_by_one(images: Tensor, rows: Draws, cutout: int) -> Tensor:
    """The same by loops over pixels, written from the formula."""
    out = torch.zeros_like(images)
    height, width = images.shape[-2:]
    for image, (down, right, mirrored, row, column) in enumerate(rows.rows.tolist()):
        top, left = row - cutout // 2, column - cutout // 2
        for y in range(height):
            for x in range(width):
                if top <= y < top + cutout and left <= x < left + cutout:
                    continue
                from_y, from_x = y - down, (width - 1 - x if mirrored else x) - right
                if 0 <= from_y < height and 0 <= from_x < width:
                    out[image, ..., y, x] = images[image, ..., from_y, from_x]
    return out


def test_a_shift_moves_every_pixel_and_leaves_zeros() -> None:
    image = torch.arange(1.0, 13).reshape(1, 3, 4)
    moved = augmented(image, draws((1, -2, 0, 0, 0)), shift=2)
    assert moved.tolist() == [[[0, 0, 0, 0], [3, 4, 0, 0], [7, 8, 0, 0]]]


def test_a_mirror_reverses_the_columns() -> None:
    image = torch.arange(1.0, 7).reshape(1, 2, 3)
    once = augmented(image, draws((0, 0, 1, 0, 0)), flip=True)
    assert once.tolist() == [[[3, 2, 1], [6, 5, 4]]]
    assert torch.equal(augmented(once, draws((0, 0, 1, 0, 0)), flip=True), image)


@pytest.mark.parametrize(
    ("middle", "zeros"),
    # Side 4 about (row, column): rows row - 2 to row + 1. In the middle 16 pixels are lost; at the
    # corner (0, 0) only rows and columns 0 and 1 are in the image; at (9, 9), 7 to 9.
    [((5, 5), 16), ((0, 0), 4), ((9, 9), 9), ((0, 5), 8)],
)
def test_the_area_of_a_cutout(middle: tuple[int, int], zeros: int) -> None:
    out = augmented(torch.ones(1, 10, 10), draws((0, 0, 0, *middle)), cutout=4)
    assert int((out == 0).sum()) == zeros


@pytest.mark.parametrize("shape", [(40, 7, 5), (40, 3, 6, 8)])
def test_a_batch_is_what_its_images_are_one_by_one(shape: tuple[int, ...]) -> None:
    images = torch.randn(shape, generator=generator(1))
    rows = drawn(images.shape, generator(2), shift=2)
    assert torch.equal(
        augmented(images, rows, shift=2, flip=True, cutout=3), one_by_one(images, rows, 3)
    )


def test_every_shift_is_drawn_equally_often() -> None:
    """5 distances, 20,000 draws: 4,000 each; 5 standard deviations are 283."""
    rows = drawn(torch.Size((20_000, 8, 6)), generator(), shift=2)
    for moved in (rows.down, rows.right):
        counts = torch.bincount(moved + 2, minlength=5)
        assert len(counts) == 5
        assert (counts - 4000).abs().max() < 283
    assert abs(int(rows.mirrored.sum()) - 10_000) < 354  # 5 sqrt(20,000 / 4)
    row, column = rows.middle
    assert (int(row.max()), int(column.max())) == (7, 5)


def test_one_setting_does_not_change_the_draws_of_another() -> None:
    shape = torch.Size((30, 8, 8))
    near, far = drawn(shape, generator(), shift=0), drawn(shape, generator(), shift=2)
    assert torch.equal(near.rows[:, 2:], far.rows[:, 2:])


def test_what_is_not_asked_for_is_not_done() -> None:
    images = torch.randn(6, 5, 5, generator=generator())
    assert torch.equal(augmented(images, drawn(images.shape, generator(), shift=2)), images)


@needs_cuda
def test_the_same_on_every_device() -> None:
    images = torch.randn(50, 3, 8, 8, generator=generator())
    rows = drawn(images.shape, generator(), shift=2)
    there = torch.device("cuda")
    done = {"shift": 2, "cutout": 3}
    expected = augmented(images, rows, flip=True, **done)
    assert torch.equal(
        augmented(images.to(there), rows.to(there), flip=True, **done).cpu(), expected
    )
