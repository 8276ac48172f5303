"""Gradient clipping: how large a gradient may be when it is applied."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dnnlab.spec import Positive, Spec

if TYPE_CHECKING:
    from torch import Tensor

Clip = Callable[["Sequence[Tensor]", "Sequence[Tensor]"], None]


class GradientClipping(Spec):
    """Limits the gradient before it is applied, so that one bad batch cannot throw the net away.

        value: each component cut to [-c, c];   norm: g * min(1, c / |g|)

    Source: Pascanu, Mikolov and Bengio, 2013, algorithm 1 (norm); the chapter's 'clipping'.
    Keras: clipvalue, global_clipnorm, clipnorm (= norm_per_tensor). PyTorch: clip_grad_value_,
    clip_grad_norm_ (the global one).
    """

    value: Positive | None = None
    """The largest absolute value of any component; this turns the gradient's direction."""
    norm: Positive | None = None
    """The largest L2 norm of the whole gradient."""
    norm_per_tensor: Positive | None = None
    """The largest L2 norm of each parameter's gradient."""

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = [limit for limit in (self.value, self.norm, self.norm_per_tensor) if limit]
        if len(given) != 1:
            raise ValueError("give one of value, norm, norm_per_tensor")
        return self

    def build(self) -> "Clip":
        """Returns what clips in place, given the gradient in pieces and parameter by parameter."""
        from dnnlab.kernels import gradients

        if self.value is not None:
            value = self.value
            return lambda pieces, parameters: gradients.clip_value_(pieces, value)
        if self.norm is not None:
            norm = self.norm
            return lambda pieces, parameters: gradients.clip_norm_(pieces, norm)
        assert self.norm_per_tensor is not None
        limit = self.norm_per_tensor
        return lambda pieces, parameters: gradients.clip_norm_per_tensor_(parameters, limit)
