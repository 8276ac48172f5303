"""What nets are given to learn from in place of examples: corrupted, masked, turned, in pairs.

Random numbers are drawn on the CPU, so that every device is taught the same. B examples of a batch,
N of a split, F features.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def corrupted(
    inputs: Tensor, generator: Generator | None = None, *, noise: float, mask: float
) -> Tensor:
    """Returns inputs with Gaussian noise of deviation `noise`, then a share `mask` of them 0.

    Each number is masked by itself; what is left is not scaled up. Without a generator the default
    one of the inputs' device is drawn from.
    """
    device = inputs.device if generator is None else generator.device
    if noise:
        drawn = torch.randn(inputs.shape, generator=generator, device=device)
        inputs = inputs + noise * drawn.to(inputs)
    if mask:
        kept = torch.rand(inputs.shape, generator=generator, device=device) >= mask
        inputs = inputs * kept.to(inputs)
    return inputs


def masked(
    inputs: Tensor, fill: Tensor, generator: Generator, *, share: float
) -> tuple[Tensor, Tensor]:
    """Returns inputs with a share of each example's features replaced, and targets (B, F).

    The features, at least one, are replaced by those of rows of `fill` (M, F), a row drawn for each
    of them. Targets are what had stood there, and nan where nothing is asked.
    """
    features = inputs.flatten(1)
    count = max(1, round(share * features.shape[1]))
    drawn = torch.rand(features.shape, generator=generator)
    # Of equal numbers, which are rare, all are taken.
    places = (drawn <= drawn.kthvalue(count, dim=1, keepdim=True).values).nonzero()
    rows = torch.randint(len(fill), (len(places),), generator=generator)
    example, feature, rows = (each.to(inputs.device) for each in (places[:, 0], places[:, 1], rows))
    targets = torch.full_like(features, torch.nan)
    targets[example, feature] = features[example, feature]
    replaced = features.clone()
    replaced[example, feature] = fill[rows, feature]
    return replaced.view_as(inputs), targets


def turned(images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Returns square images (B, ..., S, S), each turned r quarters to the left, and r (B,) of 0..3.

    r is drawn for each image by itself.
    """
    quarters = torch.randint(4, (len(images),), generator=generator)
    results = images.clone()
    for count in (1, 2, 3):
        rows = (quarters == count).nonzero()[:, 0].to(images.device)
        results[rows] = images[rows].rot90(count, dims=(-2, -1))
    return results, quarters.to(images.device)


class Pairing:
    """Finds for examples of a split another one of it, half of them of the same class.

    Classes (N,) of the whole split are sorted once; a partner is then one random number.
    """

    def __init__(self, classes: Tensor) -> None:
        classes = classes.cpu()
        counts = torch.bincount(classes)
        self._sorted = torch.argsort(classes, stable=True)
        self._place = torch.empty_like(self._sorted)
        self._place[self._sorted] = torch.arange(len(classes))
        self._first = (counts.cumsum(0) - counts)[classes]
        """Of each example: where its class begins among the sorted."""
        self._size = counts[classes]

    def partners(self, rows: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Returns a row for each of these rows (B,), and whether it is of the same class.

        Exactly half of them are, up to one, or all of them where there is one class.
        """
        alike = torch.randperm(len(rows), generator=generator) % 2 == 0
        first, size, total = self._first[rows], self._size[rows], len(self._sorted)
        alike |= size == total
        others = torch.where(alike, size - 1, total - size).clamp_min(1)
        chosen = (torch.rand(len(rows), generator=generator, dtype=torch.float64) * others).long()
        own = self._place[rows] - first
        # Past itself among those of its class, past its class among the rest.
        inside = first + torch.where(size > 1, chosen + (chosen >= own), own)
        outside = chosen + torch.where(chosen >= first, size, 0)
        return self._sorted[torch.where(alike, inside, outside)], alike.long()

    def __call__(
        self, inputs: Tensor, rows: Tensor, split: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """Returns inputs (B, 2, ...), each with another of the split, and 1 for the same class.

        `rows` says which of the split the inputs are.
        """
        partners, alike = self.partners(rows.cpu(), generator)
        beside = split.index_select(0, partners.to(split.device))
        return torch.stack([inputs, beside], dim=1), alike.to(inputs.device)
