"""Parts of nets that torch has no module for: ways of joining layers, and sequences.

B examples, C channels or feature maps, H and W places, T steps, F features.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


class AsImages(nn.Module):
    """Grey images (B, H, W) -> (B, channels, H, W), every channel alike."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, images_BHW: Tensor) -> Tensor:
        """Returns images with channels."""
        return images_BHW[:, None].expand(-1, self.channels, -1, -1)


class AsColour(nn.Module):
    """Images of one channel (B, 1, H, W) -> (B, 3, H, W), every channel alike."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Returns images of three channels."""
        return images_BCHW.expand(-1, 3, -1, -1)


class Resize(nn.Module):
    """Images (B, C, H, W) -> (B, C, size, size), bilinear."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, images_BCHW: Tensor) -> Tensor:
        """Returns the images in the new size."""
        size = (self.size, self.size)
        resized: Tensor = functional.interpolate(
            images_BCHW, size, mode="bilinear", align_corners=False
        )
        return resized


class ToShape(nn.Module):
    """Images (B, H, W) or (B, C, H, W) -> (B, *shape), where shape has channels or none.

    Bilinear, with antialiasing; grey from colour is the mean of the channels, colour from grey has
    all channels alike.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, images: Tensor) -> Tensor:
        """Returns the images in the new shape."""
        if images.ndim == 3:
            images = images[:, None]
        channels = self.shape[0] if len(self.shape) == 3 else 1
        if images.shape[1] != channels:
            images = images.mean(1, keepdim=True).expand(-1, channels, -1, -1)
        resized: Tensor = functional.interpolate(
            images, self.shape[-2:], mode="bilinear", align_corners=False, antialias=True
        )
        return resized if len(self.shape) == 3 else resized[:, 0]


class Residual(nn.Module):
    """A branch and what goes past it: body(x) + shortcut(x)."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns the sum; body and shortcut give the same shape."""
        outputs: Tensor = self.body(inputs) + self.shortcut(inputs)
        return outputs


class Scale(nn.Module):
    """One learned number that multiplies everything, as fixup has it at the end of a branch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns inputs times the number."""
        return inputs * self.weight


class Shift(nn.Module):
    """One learned number that is added to everything, as fixup has it before each layer."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns inputs plus the number."""
        return inputs + self.bias


class Transposed(nn.Module):
    """The way back through a dense layer: inputs (B, units) -> (B, features), by the same kernel.

        y = x W + b,  W (units, features) that of the layer, b its own

    The kernel belongs to the layer alone: it is a parameter of the net once.
    """

    def __init__(self, dense: nn.Module) -> None:
        super().__init__()
        assert isinstance(dense, nn.Linear)
        self._dense = (dense,)  # a module that stood here by itself would be a part of this one
        self.bias = nn.Parameter(torch.empty(dense.in_features))

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns the weighted sums."""
        return functional.linear(inputs, self._dense[0].weight.T, self.bias)


class Accompanied(nn.Module):
    """A stack of layers, and other modules beside it that it makes no use of: forward is its own.

    All of them are parts of this one, by their names.
    """

    def __init__(self, stack: nn.Module, **beside: nn.Module) -> None:
        super().__init__()
        for name, part in (*stack.named_children(), *beside.items()):
            self.add_module(name, part)
        self._stack = (stack,)

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns what the stack does."""
        outputs: Tensor = self._stack[0](inputs)
        return outputs


class Twins(nn.Module):
    """A stack whose last layer sees how far apart two examples are for the layers below it.

        (B, 2, ...) -> the layers below, on both -> |first - second| -> last layer

    Both go through at once: to a normalization they are one batch.
    """

    def __init__(self, stack: nn.Module) -> None:
        super().__init__()
        for name, part in stack.named_children():
            self.add_module(name, part)
        self._layers = tuple(stack.children())

    def forward(self, pairs: Tensor) -> Tensor:
        """Returns what the last layer says of each pair."""
        *below, last = self._layers
        codings = pairs.flatten(0, 1)
        for part in below:
            codings = part(codings)
        first, second = codings.view(len(pairs), 2, -1).unbind(1)
        outputs: Tensor = last((first - second).abs())
        return outputs


class WideAndDeep(nn.Module):
    """Some columns as they are beside what a deep stack makes of some: (B, F) -> (B, wide + deep).

    Columns are indices; None stands for all of them.
    """

    def __init__(
        self, deep: nn.Module, wide_columns: list[int] | None, deep_columns: list[int] | None
    ) -> None:
        super().__init__()
        self.deep = deep
        self._wide = wide_columns
        self._deep = deep_columns

    def forward(self, inputs_BF: Tensor) -> Tensor:
        """Returns the wide columns, then the outputs of the deep stack."""
        wide = _columns(inputs_BF, self._wide)
        return torch.cat([wide, self.deep(_columns(inputs_BF, self._deep))], dim=1)


def _columns(inputs_BF: Tensor, columns: list[int] | None) -> Tensor:
    if columns is None:
        return inputs_BF
    return inputs_BF.index_select(1, torch.tensor(columns, device=inputs_BF.device))


class AsSequence(nn.Module):
    """Anything (B, ...) -> (B, steps, F): rows of an image, or columns of a table in groups.

    Of a colour image (B, C, H, W) a step is a row with all its channels.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns the sequences."""
        if inputs.ndim == 4:
            inputs = inputs.transpose(1, 2)
        return inputs.reshape(len(inputs), self.steps, -1)


class LastStep(nn.Module):
    """Sequences (B, T, F) -> what stands at their end (B, F).

    Of a bidirectional layer, whose second half reads backwards, that half's end is step 0.
    """

    def __init__(self, bidirectional: bool) -> None:
        super().__init__()
        self.bidirectional = bidirectional

    def forward(self, sequence_BTF: Tensor) -> Tensor:
        """Returns the last step of each sequence."""
        if not self.bidirectional:
            return sequence_BTF[:, -1]
        forward, backward = sequence_BTF.chunk(2, dim=2)
        return torch.cat([forward[:, -1], backward[:, 0]], dim=1)


Cell = Literal["lstm", "gru"]


class Recurrent(nn.Module):
    """A layer of LSTM or GRU cells over sequences: (B, T, F) -> (B, T, units or twice as many).

    With a `recurrent_dropout` the memory that goes from step to step is dropped while training,
    one mask for all steps of a sequence (Gal and Ghahramani, 2016); torch's own layers cannot, so
    that the steps are then taken one by one here. In evaluation torch's layer does all the work.
    """

    def __init__(
        self,
        cell: Cell,
        features: int,
        units: int,
        *,
        bidirectional: bool,
        bias: bool,
        recurrent_dropout: float,
    ) -> None:
        super().__init__()
        kind = nn.LSTM if cell == "lstm" else nn.GRU
        self.cell = kind(features, units, bias=bias, batch_first=True, bidirectional=bidirectional)
        self.recurrent_dropout = recurrent_dropout

    def forward(self, sequence_BTF: Tensor) -> Tensor:
        """Returns the outputs of every step."""
        if not (self.training and self.recurrent_dropout > 0):
            outputs: Tensor = self.cell(sequence_BTF)[0]
            return outputs
        ways = [self._step_by_step(sequence_BTF, "")]
        if self.cell.bidirectional:
            backward = self._step_by_step(sequence_BTF.flip(1), "_reverse")
            ways.append(backward.flip(1))
        return torch.cat(ways, dim=2)

    def _step_by_step(self, sequence_BTF: Tensor, way: str) -> Tensor:
        cell = self.cell
        weight_ih, weight_hh = (getattr(cell, f"weight_{each}_l0{way}") for each in ("ih", "hh"))
        bias_ih, bias_hh = (
            getattr(cell, f"bias_{each}_l0{way}") if cell.bias else None for each in ("ih", "hh")
        )
        of_inputs = functional.linear(sequence_BTF, weight_ih, bias_ih)
        memory = sequence_BTF.new_zeros(len(sequence_BTF), cell.hidden_size)
        kept = 1 - self.recurrent_dropout
        mask = torch.bernoulli(torch.full_like(memory, kept)) / kept
        long = torch.zeros_like(memory)
        outputs = []
        for step in range(sequence_BTF.shape[1]):
            of_memory = functional.linear(memory * mask, weight_hh, bias_hh)
            if isinstance(cell, nn.LSTM):
                memory, long = _lstm_step(of_inputs[:, step] + of_memory, long)
            else:
                memory = _gru_step(of_inputs[:, step], of_memory, memory)
            outputs.append(memory)
        return torch.stack(outputs, dim=1)


def _lstm_step(sums: Tensor, long: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the short and the long memory after a step; gates in torch's order."""
    let_in, forget, new, let_out = sums.chunk(4, dim=1)
    long = forget.sigmoid() * long + let_in.sigmoid() * new.tanh()
    return let_out.sigmoid() * long.tanh(), long


def _gru_step(of_inputs: Tensor, of_memory: Tensor, memory: Tensor) -> Tensor:
    """Returns the memory after a step; gates in torch's order."""
    reset_i, update_i, new_i = of_inputs.chunk(3, dim=1)
    reset_m, update_m, new_m = of_memory.chunk(3, dim=1)
    update = (update_i + update_m).sigmoid()
    new = (new_i + (reset_i + reset_m).sigmoid() * new_m).tanh()
    return (1 - update) * new + update * memory
