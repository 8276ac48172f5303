"""The learning rates of torch's own schedules, to hold ours against."""

from __future__ import annotations

import warnings

import torch


def rates_of_torch(kind: type, num_updates: int, **settings: object) -> list[float]:
    """Returns the rates of torch's schedule of that kind, from a highest rate of 1."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = kind(optimizer, **settings)
    found = []
    for _ in range(num_updates):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        with warnings.catch_warnings():  # torch's own, about how it is called
            warnings.simplefilter("ignore")
            schedule.step()
    return found
