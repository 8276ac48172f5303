"""What regularization does to weights: loss terms and a constraint. All in place."""

from __future__ import annotations

from torch import Tensor


def add_l2_gradient_(gradient: Tensor, weights: Tensor, strength: float) -> None:
    """Adds the gradient of the loss term strength * sum(weights²), which is 2 * strength * weights.

    Keras's l2 likewise has no factor 1/2; torch's `weight_decay` of SGD has it, so that l2 of
    1e-4 here is a weight decay of 2e-4 there.
    """
    gradient.add_(weights, alpha=2 * strength)


def add_l1_gradient_(gradient: Tensor, weights: Tensor, strength: float) -> None:
    """Adds the gradient of strength * sum(|weights|): strength * sign(weights), 0 at 0."""
    gradient.add_(weights.sign(), alpha=strength)


def max_norm_(kernel: Tensor, limit: float) -> None:
    """Scales each unit's incoming weights down to L2 norm `limit` where they are longer.

    A kernel lies in torch's layout (out, in, *window): a unit's incoming weights are one slice of
    the first axis. Keras's dense kernels lie the other way round, hence its `axis=0`.
    """
    rows = kernel.view(kernel.shape[0], -1)
    lengths = rows.norm(dim=1, keepdim=True)
    # A row that has no length divides 0 by 0: clamp_min keeps it as it is.
    rows.mul_((limit / lengths.clamp_min_(1e-30)).clamp_max_(1.0))
