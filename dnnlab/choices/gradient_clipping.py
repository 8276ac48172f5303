"""Gradient clipping: how large a gradient may be when it is applied."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from dnnlab.spec import Positive, Spec

if TYPE_CHECKING:
    from torch import Tensor


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

    def build(self, gradient: "Tensor", tensors: "Sequence[Tensor]") -> Callable[[], object]:
        """Returns what clips in place the flat `gradient`, whose views `tensors` are one a parameter."""
        from dnnlab.kernels import gradients

        if self.value is not None:
            limit = self.value
            return lambda: gradients.clip_value_(gradient, limit)
        if self.norm is not None:
            limit = self.norm
            return lambda: gradients.clip_norm_(gradient, limit)
        assert self.norm_per_tensor is not None
        limit = self.norm_per_tensor
        return lambda: gradients.clip_norm_per_tensor_(tensors, limit)
