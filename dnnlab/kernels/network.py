"""A net as the engine sees it: a torch module, and for every tensor in it how it begins."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dnnlab.kernels.blocks import ToShape, Transposed, Twins

Fill = Callable[[Tensor, torch.Generator], None]
"""Gives a tensor its initial values, in place, drawing on the generator if it needs chance."""


def zeros(tensor: Tensor, generator: torch.Generator) -> None:
    """Fills with 0."""
    tensor.zero_()


def ones(tensor: Tensor, generator: torch.Generator) -> None:
    """Fills with 1."""
    tensor.fill_(1.0)


@dataclass(frozen=True)
class Kernel:
    """A parameter that multiplies inputs: what penalties and constraints apply to."""

    name: str
    l1: float
    l2: float
    max_norm: float | None
    uses: int = 1
    """How often it is applied to one example: places of an image, steps of a sequence."""


@dataclass(frozen=True)
class NamedLayer:
    """A layer as one speaks of it: a kernel, and what belongs to it until the next one begins."""

    name: str
    """That of the module with the kernel, such as dense1."""
    modules: tuple[str, ...]
    """Those that have tensors: dense1, norm1."""
    tensors: tuple[str, ...]
    """Parameters and buffers: dense1.weight, dense1.bias, norm1.weight, norm1.running_mean."""


@dataclass(frozen=True)
class SelfTaught:
    """How a net learns that has no loss of outputs and targets: its own loss of inputs alone."""

    loss: Callable[[Tensor, int], Tensor]
    """Inputs (B, ...) of an update and the number of the phase it is in -> the loss, a scalar."""
    measures: Callable[[Tensor], dict[str, Tensor]]
    """Inputs (N, ...) -> numbers (N,) of each, `loss` among them, whose means say what the net is
    worth. Draws no random number that the training could miss."""


@dataclass(frozen=True)
class Network:
    """A module, built without memory (on torch's meta device) until a State gives it some."""

    module: nn.Module
    initial: dict[str, Fill]
    """Initial values by the name of each parameter and buffer."""
    kernels: tuple[Kernel, ...]
    self_taught: SelfTaught | None = None
    """For nets of which the experiment's loss says nothing."""

    def __post_init__(self) -> None:
        named = self.tensors().keys()
        assert named == self.initial.keys(), named ^ self.initial.keys()

    def tensors(self) -> dict[str, Tensor]:
        """Returns parameters and buffers by name."""
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}

    def straight_line(self) -> Callable[[Tensor], Tensor]:
        """Returns the forward pass without what `nn.Module.__call__` does for hooks at every layer.

        A call costs 2 µs, which is 2 % of an update of a net of 100 small layers. Hooks are not
        called; the modules are those of `module`, with whatever state they have when called.
        """
        if not isinstance(self.module, nn.Sequential):
            return self.module.forward
        forwards = [part.forward for part in self.module]

        def forward(inputs: Tensor) -> Tensor:
            for part in forwards:
                inputs = part(inputs)
            return inputs

        return forward

    def layers(self) -> tuple[NamedLayer, ...]:
        """Returns the layers in the order in which they were put together, the output last.

        What stands before the first kernel, a normalization of the inputs, belongs to that layer.
        """
        owners = {kernel.name.rpartition(".")[0] for kernel in self.kernels}
        owners |= {path for path, part in self.module.named_modules() if type(part) is Transposed}
        groups: list[tuple[str, list[str], list[str]]] = []
        begun = False
        for path, part in self.module.named_modules():
            own = [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]
            if not own:
                continue
            if not groups or (path in owners and begun):
                groups.append((path, [], []))
            elif path in owners:
                groups[-1] = (path, *groups[-1][1:])
            begun = begun or path in owners
            groups[-1][1].append(path)
            groups[-1][2].extend(f"{path}.{name}" for name, _ in own)
        return tuple(NamedLayer(n, tuple(modules), tuple(t)) for n, modules, t in groups)

    def resized(self, shape: tuple[int, ...]) -> Network:
        """Returns the net for images of other sizes: each is first given this shape."""
        parts = OrderedDict[str, nn.Module](resized=ToShape(shape))
        parts |= self.module.named_children()
        assert isinstance(self.module, nn.Sequential), "architectures build stacks"
        return replace(self, module=nn.Sequential(parts))

    @property
    def widest(self) -> int:
        """Numbers that the widest layer gives for one example."""
        parameters = dict(self.module.named_parameters())
        given = (len(parameters[kernel.name]) * kernel.uses for kernel in self.kernels)
        return max(given, default=0)

    @property
    def num_trainable(self) -> int:
        """Numbers that the optimizer changes."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def num_fixed(self) -> int:
        """Numbers that are kept but not optimized: the moving averages of batch normalization."""
        return sum(buffer.numel() for buffer in self.module.buffers())


def twins(network: Network) -> Network:
    """Returns the net that is given two examples and looks at how their codings differ."""
    *below, last = network.kernels
    kernels = (*(replace(each, uses=2 * each.uses) for each in below), last)
    return replace(network, module=Twins(network.module), kernels=kernels)
