"""All that a run needs to go on, as one object: saved whole, loaded name by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from dnnlab.choices.optimizers import Optimizer
from dnnlab.choices.schedules import Plateau
from dnnlab.errors import RunError
from dnnlab.kernels.network import Network
from dnnlab.randomness import key


@dataclass
class Tally:
    """Running sums over the updates since the last record; they survive an interruption."""

    updates: int = 0
    """Those with a finite gradient; float16 leaves out the others."""
    examples: int = 0
    loss: float = 0.0
    hits: int = 0
    gradient_norm: float = 0.0
    largest_gradient_norm: float = 0.0


@dataclass
class LossScale:
    """float16 gradients are kept from vanishing by a factor on the loss, found while training.

    It doubles after `GROW_AFTER` good updates and halves when a gradient overflows; that update is
    then left out. Micikevicius et al., 2018, section 3.2.
    """

    factor: float = 65536.0
    good: int = 0


@dataclass
class Best:
    """The best evaluation so far, and the net's parameters and buffers at that moment."""

    step: int
    value: float
    network: dict[str, Tensor]


@dataclass
class State:
    """A net, its optimizer's memory, and where the training stands.

    All parameters are views of one vector `weights` (P,); a slot is a vector too, or one number.
    """

    network: Network
    weights: Tensor
    slots: dict[str, Tensor]
    step: int = 0
    """Updates taken, those included that float16 left out."""
    applied: int = 0
    """Updates that changed the weights: what an optimizer's bias correction counts."""
    plateau: Plateau = field(default_factory=Plateau)
    best: Best | None = None
    tally: Tally = field(default_factory=Tally)
    loss_scale: LossScale = field(default_factory=LossScale)
    skipped: int = 0
    """Updates left out because they were not finite; those that float16 leaves out are not."""
    rollbacks: int = 0
    """How often the training went back to a checkpoint."""
    lr_factor: float = 1.0
    """What going back has made of the learning rate."""
    ended: str = ""
    """Why the training ended before its last update; empty while it goes on."""
    given: Mapping[str, Tensor] = field(default_factory=dict)
    """What some tensors of the net begin with, by name, in place of values drawn by chance."""

    @classmethod
    def fresh(
        cls,
        network: Network,
        optimizer: Optimizer,
        *,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> State:
        """Gives a net its memory and its first values."""
        state = cls.empty(network, optimizer, device=device, dtype=dtype)
        state.begin(seed)
        return state

    @classmethod
    def empty(
        cls, network: Network, optimizer: Optimizer, *, device: torch.device, dtype: torch.dtype
    ) -> State:
        """Gives a net its memory, whose parameters and buffers are still to be filled."""
        weights = torch.empty(network.num_trainable, dtype=dtype, device=device)
        module, start = network.module, 0
        for name, meta in list(module.named_parameters()):
            stop = start + meta.numel()
            parameter = torch.nn.Parameter(weights[start:stop].view(meta.shape))
            owner, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(owner), leaf, parameter)
            start = stop
        for name, meta_buffer in list(module.named_buffers()):
            owner, _, leaf = name.rpartition(".")
            buffer = torch.empty(meta_buffer.shape, dtype=dtype, device=device)
            setattr(module.get_submodule(owner), leaf, buffer)
        return cls(network, weights, optimizer.slots(weights))

    @torch.no_grad()
    def begin(self, seed: int) -> None:
        """Fills parameters and buffers with first values, each from its own random numbers.

        They are drawn on the CPU in float32, so that every device and precision starts alike.
        """
        for name, tensor in self.network.tensors().items():
            if name in self.given:
                tensor.copy_(self.given[name])
                continue
            first = torch.empty(tensor.shape, dtype=torch.float32)
            generator = torch.Generator().manual_seed(key(seed, "initial", name))
            self.network.initial[name](first, generator)
            tensor.copy_(first)

    @torch.no_grad()
    def begin_anew(self, optimizer: Optimizer, seed: int) -> None:
        """Makes it as it was before the first update, whatever it has become since."""
        self.forget(optimizer)
        self.begin(seed)
        fresh = State(self.network, self.weights, self.slots, given=self.given)
        vars(self).update(vars(fresh))

    @torch.no_grad()
    def forget(self, optimizer: Optimizer) -> None:
        """Makes the optimizer's memory as it was before the first update."""
        for name, slot in optimizer.slots(self.weights).items():
            self.slots[name].copy_(slot)
        self.applied = 0

    def not_finite(self) -> str | None:
        """Returns the name of the first tensor that holds anything but finite numbers, if one does.

        That of the best is a copy of what was looked at before.
        """
        whole = [self.weights, *self.network.module.buffers(), *self.slots.values()]
        if all(bool(torch.isfinite(tensor).all()) for tensor in whole):
            return None
        for group in (self.network_tensors(), self.slot_tensors()):
            for name, tensor in group.items():
                if not torch.isfinite(tensor).all():
                    return name
        raise AssertionError("a number that is not finite is in no tensor with a name")

    # --- tensors by name ---------------------------------------------------------------------

    def network_tensors(self) -> dict[str, Tensor]:
        """Returns parameters and buffers by name; they share the net's memory."""
        return {name: t.detach() for name, t in self.network.tensors().items()}

    def slot_tensors(self) -> dict[str, Tensor]:
        """Returns the optimizer's memory by "slot.parameter"; scalars by their slot alone."""
        named = {}
        for slot, tensor in self.slots.items():
            if tensor.ndim == 0:
                named[slot] = tensor
                continue
            start = 0
            for name, parameter in self.network.module.named_parameters():
                stop = start + parameter.numel()
                named[f"{slot}.{name}"] = tensor[start:stop].view(parameter.shape)
                start = stop
        return named

    # --- saving and loading ------------------------------------------------------------------

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Returns every tensor, grouped by the file it is kept in."""
        groups = {"network": self.network_tensors(), "optimizer": self.slot_tensors()}
        if self.best is not None:
            groups["best"] = self.best.network
        return groups

    def numbers(self) -> dict[str, Any]:
        """Returns everything that is no tensor, as JSON can hold it."""
        best = None
        if self.best is not None:
            value = None if math.isnan(self.best.value) else self.best.value
            best = {"step": self.best.step, "value": value}
        return {
            "step": self.step,
            "applied": self.applied,
            "plateau": asdict(self.plateau),
            "best": best,
            "tally": asdict(self.tally),
            "loss_scale": asdict(self.loss_scale),
            "skipped": self.skipped,
            "rollbacks": self.rollbacks,
            "lr_factor": self.lr_factor,
            "ended": self.ended,
        }

    def load(self, tensors: Mapping[str, Mapping[str, Tensor]], numbers: dict[str, Any]) -> None:
        """Takes over a saved state. Raises RunError naming the first tensor that does not fit.

        What the first checkpoints did not count is as it is in a training that never diverged.
        """
        _copy("network", tensors["network"], into=self.network_tensors())
        _copy("optimizer", tensors["optimizer"], into=self.slot_tensors())
        self.step, self.applied = _count(numbers["step"]), _count(numbers["applied"])
        self.plateau = _filled(Plateau(), numbers["plateau"])
        self.tally = _filled(Tally(), numbers["tally"])
        self.loss_scale = _filled(LossScale(), numbers["loss_scale"])
        self.skipped = _count(numbers.get("skipped", 0))
        self.rollbacks = _count(numbers.get("rollbacks", 0))
        self.lr_factor = _number(numbers.get("lr_factor", 1.0))
        self.ended = numbers["ended"]
        if not isinstance(self.ended, str):
            raise TypeError(f"{self.ended!r} is no reason to end")
        self.best = None
        if numbers["best"] is not None:
            held = self.copy_of_network()
            _copy("best", tensors["best"], into=held)
            step, value = _count(numbers["best"]["step"]), numbers["best"]["value"]
            self.best = Best(step, math.nan if value is None else _number(value), held)

    def copy_of_network(self) -> dict[str, Tensor]:
        """Returns parameters and buffers by name, in memory of their own."""
        return {name: tensor.clone() for name, tensor in self.network_tensors().items()}

    def snapshot(self) -> Snapshot:
        """Returns all that updates change, so that `restore` can go back to it."""
        buffers = [buffer.clone() for buffer in self.network.module.buffers()]
        slots = {name: tensor.clone() for name, tensor in self.slots.items()}
        return Snapshot(
            self.step,
            self.applied,
            self.weights.clone(),
            buffers,
            slots,
            asdict(self.loss_scale),
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Goes back to a snapshot of this state."""
        self.step, self.applied = snapshot.step, snapshot.applied
        self.weights.copy_(snapshot.weights)
        for buffer, saved in zip(self.network.module.buffers(), snapshot.buffers, strict=True):
            buffer.copy_(saved)
        for name, tensor in self.slots.items():
            tensor.copy_(snapshot.slots[name])
        self.loss_scale = LossScale(**snapshot.loss_scale)

    @contextmanager
    def holding(self, network: Mapping[str, Tensor]) -> Iterator[None]:
        """Lends the net other parameters and buffers for a while."""
        own = self.copy_of_network()
        _copy("network", network, into=self.network_tensors())
        try:
            yield
        finally:
            _copy("network", own, into=self.network_tensors())


Numbers = TypeVar("Numbers", Plateau, Tally, LossScale)


@dataclass(frozen=True)
class Snapshot:
    """What an engine may have to go back to within a stretch of updates."""

    step: int
    applied: int
    weights: Tensor
    buffers: list[Tensor]
    slots: dict[str, Tensor]
    loss_scale: dict[str, Any]


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _filled(fresh: Numbers, saved: dict[str, Any]) -> Numbers:
    """Returns an object of counts and numbers as it was saved: each as one that is fresh has it."""
    known = vars(fresh)
    if saved.keys() != known.keys():
        raise KeyError(*sorted(saved.keys() ^ known.keys()))
    values: dict[str, Any] = {}
    for name, value in saved.items():
        if type(known[name]) is int:
            values[name] = _count(value)
        else:
            optional = value is None and known[name] is None
            values[name] = None if optional else _number(value)
    return type(fresh)(**values)


def _copy(group: str, saved: Mapping[str, Tensor], *, into: dict[str, Tensor]) -> None:
    if missing := sorted(set(into) ^ set(saved)):
        where = "the checkpoint" if missing[0] in into else "the net of this config"
        raise RunError(f"{group}: {where} has no tensor '{missing[0]}'")
    for name, tensor in into.items():
        other = saved[name]
        if (other.shape, other.dtype) != (tensor.shape, tensor.dtype):
            raise RunError(
                f"{group}: '{name}' is {list(other.shape)} {other.dtype} in the checkpoint, "
                f"{list(tensor.shape)} {tensor.dtype} in the net of this config"
            )
        tensor.copy_(other)
