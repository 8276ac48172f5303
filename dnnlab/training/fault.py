"""Where the numbers of a net first stop being finite."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def first_fault(
    module: nn.Module, forward: Callable[[], Tensor], backward: Callable[[Tensor], None]
) -> str | None:
    """Runs one update's forward and backward pass, and names the first thing that is not finite.

    `forward` returns the loss, `backward` leaves the gradients in the parameters. Forward the first
    layer counts, backward the last, since that is the order in which they are computed. Returns
    None if all is finite.
    """
    outputs: dict[str, bool] = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(part: nn.Module, given: object, output: object) -> None:
            outputs[name] = _finite(output)

        return hook

    leaves = [(name, part) for name, part in module.named_modules() if not list(part.children())]
    hooks = [part.register_forward_hook(note(name)) for name, part in leaves]
    try:
        loss = forward()
    finally:
        for hook in hooks:
            hook.remove()
    for name, finite in outputs.items():
        if not finite:
            return f"the output of layer {name}"
    if not _finite(loss):
        return "the loss"
    backward(loss)
    for name, parameter in reversed(list(module.named_parameters())):
        if parameter.grad is not None and not _finite(parameter.grad):
            return f"the gradient of {name}"
    return None


def _finite(output: object) -> bool:
    """Looks into what a layer gave; recurrent layers give their memory beside the outputs."""
    if isinstance(output, tuple):
        return all(_finite(each) for each in output)
    return not isinstance(output, Tensor) or bool(torch.isfinite(output).all())
