"""`dnnlab summary` and `train --dry-run`: what a config comes to, before anything is trained."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dnnlab.choices.datasets import Signature
from dnnlab.config.read import Config
from dnnlab.contradictions import conflicts_with_shape
from dnnlab.errors import DivergedError
from dnnlab.kernels.network import Network
from dnnlab.methods.session import Session, assemble
from dnnlab.methods.train import CALMER, room_for
from dnnlab.training.data import prepare_for
from dnnlab.training.machine import memory_of

TIMED_SECONDS = 1.0
"""How long a dry run applies updates to learn their speed."""


@dataclass(frozen=True)
class LayerRow:
    """One line of the table: a layer, the shape of one example's output, its parameters."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    trainable: int
    fixed: int


@dataclass(frozen=True)
class Summary:
    """A net as a table of layers. `fixed` are the moving averages of batch normalization."""

    layers: tuple[LayerRow, ...]
    input_shape: tuple[int, ...]
    trainable: int
    fixed: int

    def to_json(self) -> dict[str, Any]:
        """Returns the table as `summary --json` prints it."""
        return {
            "schema": 1,
            "input_shape": list(self.input_shape),
            "parameters": {
                "total": self.trainable + self.fixed,
                "trainable": self.trainable,
                "not_trainable": self.fixed,
            },
            "layers": [
                {
                    "name": row.name,
                    "kind": row.kind,
                    "output_shape": list(row.output_shape),
                    "parameters": row.trainable + row.fixed,
                    "trainable": row.trainable,
                }
                for row in self.layers
            ],
        }


def summarize(config: Config) -> Summary:
    """Builds the net on no memory at all and lists its layers. Reads the data only if it must."""
    data = config.experiment.data
    signature = data.shape()
    if signature is None:
        signature = prepare_for(config.experiment).signature
        if found := conflicts_with_shape(config.experiment, signature):
            raise config.refusal(found)
    network = config.network(signature)
    return Summary(
        layers=tuple(_rows(network, _given(config, signature))),
        input_shape=signature.input_shape,
        trainable=network.num_trainable,
        fixed=network.num_fixed,
    )


def _given(config: Config, signature: Signature) -> tuple[int, ...]:
    """Returns the shape of what the net is given for an example."""
    shape, pretraining = signature.input_shape, config.experiment.pretraining
    return shape if pretraining is None else pretraining.given(shape)


def _rows(network: Network, shape: tuple[int, ...]) -> list[LayerRow]:
    rows: list[LayerRow] = []

    def note(name: str) -> Any:
        def hook(part: nn.Module, given: object, output: Any) -> None:
            if isinstance(output, tuple):  # recurrent layers give their memory beside the outputs
                output = output[0]
            trainable = sum(parameter.numel() for parameter in part.parameters())
            fixed = sum(buffer.numel() for buffer in part.buffers())
            shape = tuple(output.shape[1:])
            rows.append(LayerRow(name, type(part).__name__, shape, trainable, fixed))

        return hook

    for name, part in network.module.named_modules():
        if not list(part.children()):
            part.register_forward_hook(note(name))
    network.module.eval()
    with torch.no_grad():
        network.module(torch.empty((1, *shape), device="meta"))
        for name, part in network.module.named_children():
            if not any(row.name.split(".")[0] == name for row in rows):  # it stands beside the way
                part(torch.empty((1, _fan_in(part)), device="meta"))
    return rows


def _fan_in(part: nn.Module) -> int:
    """Returns how many numbers a stack of dense layers takes."""
    return next(each.in_features for each in part.modules() if isinstance(each, nn.Linear))


@dataclass(frozen=True)
class Preview:
    """What training a config would cost on this machine."""

    sizes: dict[str, int]
    trainable: int
    fixed: int
    updates: int
    updates_per_epoch: int
    engine: str
    device: str
    threads: int
    precision: str
    memory_bytes: int
    """Weights, gradients, optimizer and data; activations come on top."""
    disk_bytes: int
    """All checkpoints that are kept, at the most."""
    seconds: float
    """Of the updates alone, at the speed of the first second."""
    findings: tuple[str, ...] = ()
    """What is worth telling of the data."""

    def to_json(self) -> dict[str, Any]:
        """Returns the preview as `train --dry-run --json` prints it."""
        return {"schema": 1, **self.__dict__}


def preview(config: Config) -> Preview:
    """Does all that a training does before its first epoch, times updates, and writes nothing.

    Raises DivergedError if these are not finite already.
    """
    session = assemble(config)
    state, plan = session.state, session.plan
    _advance(session, min(3, plan.total_updates))
    started, first = time.monotonic(), state.step
    while state.step < plan.total_updates and time.monotonic() - started < TIMED_SECONDS:
        _advance(session, min(plan.total_updates, state.step + 10))
    each = (time.monotonic() - started) / max(1, state.step - first)
    network = state.network
    weight_bytes = state.weights.element_size()
    slots = sum(slot.numel() for slot in state.slots.values())
    numbers = sum(
        tensor.numel() * tensor.element_size()
        for split in session.data.splits().values()
        for tensor in (split.inputs, split.targets)
    )
    return Preview(
        sizes={name: len(split) for name, split in session.data.splits().items()},
        trainable=network.num_trainable,
        fixed=network.num_fixed,
        updates=plan.total_updates,
        updates_per_epoch=plan.updates_per_epoch,
        engine=session.engine.name,
        device=str(session.machine.device),
        threads=session.machine.threads,
        precision=session.experiment.training.precision,
        memory_bytes=(2 * network.num_trainable + slots) * weight_bytes + numbers,
        disk_bytes=room_for(session),
        seconds=math.ceil(each * plan.total_updates * 10) / 10,
        findings=session.data.findings,
    )


def _advance(session: Session, until: int) -> None:
    with memory_of(session.machine.device):
        stretch = session.engine.advance(until)
    if stretch.failure is not None:
        raise DivergedError(str(stretch.failure), remedy=CALMER)
