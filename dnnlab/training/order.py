"""Which examples an update takes: a function of (seed, epoch), the same on every device."""

from __future__ import annotations

import torch
from torch import Tensor

from dnnlab.plan import Plan
from dnnlab.randomness import key


class Order:
    """A fresh permutation of the training split for every epoch; the last one asked for is kept."""

    def __init__(self, plan: Plan, seed: int, device: torch.device) -> None:
        self._plan = plan
        self._seed = seed
        self._device = device
        self._epoch = -1
        self._permutation = torch.empty(0, dtype=torch.int64)

    def rows(self, update: int) -> Tensor:
        """Returns the rows of the training split that update `update` takes, shape (B,)."""
        epoch, start, stop = self._plan.batch(update)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(key(self._seed, "order", epoch))
            whole = torch.randperm(self._plan.num_train, generator=generator)
            self._permutation, self._epoch = whole.to(self._device), epoch
        return self._permutation[start:stop]
