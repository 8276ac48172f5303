"""Which layers of one net begin with the weights of another's, and why the others do not."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from dnnlab.choices.transfer import Transfer
from dnnlab.config.wording import nearest
from dnnlab.kernels.network import NamedLayer, Network
from dnnlab.training.data import Scaling

TORCHVISION = "model."
"""Below it stand the layers of a net that torchvision built."""
Fate = Literal["reused", "adapted", "new", "skipped"]
"""reused: bit by bit; adapted: its first weights were made to fit other inputs; new: it was not
to be reused; skipped: it was, and cannot be."""


class NoSuchLayer(ValueError):
    """A layer that the net has not: where in the config it is named, and the nearest."""

    def __init__(self, path: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True)
class Offer:
    """What can be reused: the tensors of a net, and what is known of it."""

    tensors: Mapping[str, Tensor]
    layers: frozenset[str] | None = None
    """The layers that are worth reusing; None where any may be. A decoder's are not."""
    input_shape: tuple[int, ...] | None = None
    """Of the examples that it was trained on, where that is known."""
    scaling: Scaling | None = None
    """Of their inputs, where that is known."""
    columns: tuple[dict[str, Any], ...] = ()
    """Of a table: what its inputs were made of."""


@dataclass(frozen=True)
class Row:
    """What becomes of a layer of the new net."""

    layer: str
    fate: Fate
    reason: str
    """Why, where that does not say itself."""
    shape: tuple[int, ...]
    """Of its kernel."""
    parameters: int


@dataclass(frozen=True)
class Reused:
    """What two nets have in common."""

    rows: tuple[Row, ...]
    """One for each layer of the new net, from the inputs to the outputs."""
    unused: tuple[str, ...]
    """The other net's layers that nothing is taken from, as far as their tensors have names."""
    tensors: dict[str, Tensor] = field(default_factory=dict)
    """What the new net begins with, by its own names."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers that begin with weights of the other net."""
        return tuple(row.layer for row in self.rows if row.fate in ("reused", "adapted"))


def matching(
    names: Sequence[str], patterns: Iterable[str], path: tuple[str | int, ...]
) -> set[str]:
    """Returns the layers that some patterns mean. Raises NoSuchLayer for one that means none."""
    found: set[str] = set()
    for index, pattern in enumerate(patterns):
        meant = {name for name in names if fnmatchcase(name, pattern)}
        if not meant:
            near = nearest(pattern, names)
            hint = f"; did you mean {near}?" if near else f"; the layers are {_listed(names)}"
            raise NoSuchLayer((*path, index), f"no layer is called {pattern!r}{hint}")
        found |= meant
    return found


def compare(network: Network, offer: Offer, transfer: Transfer, shape: tuple[int, ...]) -> Reused:
    """Finds for each layer what it can begin with. `shape` is that of an example of the new data,
    as the net takes it. Raises NoSuchLayer.
    """
    layers = network.layers()
    names = [layer.name for layer in layers]
    wanted = _wanted(names, transfer)
    for here in transfer.names:
        matching(names, [here], ("transfer", "names"))
    own = network.tensors()
    offer = _as_torchvision_names_it(offer, own)
    rows: list[Row] = []
    tensors: dict[str, Tensor] = {}
    used: set[str] = set()
    for index, layer in enumerate(layers):
        there = transfer.names.get(layer.name, layer.name)
        fate: Fate = "new"
        reason = "" if layer.name in wanted else _not_wanted(layer, layers, transfer)
        if layer.name in wanted:
            given, reason, adapted = _fit(
                layer, there, own, offer, shape, may_adapt=transfer.inputs == "adapt" and index == 0
            )
            fate = "skipped" if given is None else "adapted" if adapted else "reused"
            if given is not None:
                tensors |= given
                used.add(there)
        parameters = sum(own[name].numel() for name in layer.tensors)
        rows.append(Row(layer.name, fate, reason, tuple(_kernel(layer, own).shape), parameters))
    return Reused(tuple(rows), tuple(_unused(offer, used)), tensors)


def _as_torchvision_names_it(offer: Offer, own: Mapping[str, Tensor]) -> Offer:
    """Returns an offer with the names that torchvision's models have here, below `model`, where its
    own are those of such a model by itself.
    """
    here, there = (
        [name.startswith(TORCHVISION) for name in names] for names in (own, offer.tensors)
    )
    if not all(here) or any(there):
        return offer
    tensors = {f"{TORCHVISION}{name}": tensor for name, tensor in offer.tensors.items()}
    return replace(offer, tensors=tensors)


def _wanted(names: Sequence[str], transfer: Transfer) -> set[str]:
    reuse = transfer.reuse
    if reuse.layers is not None:
        return matching(names, reuse.layers, ("transfer", "reuse", "layers"))
    if reuse.first == "auto":
        return set(names[:-1])
    if reuse.first > len(names):
        raise NoSuchLayer(
            ("transfer", "reuse", "first"),
            f"{reuse.first} of the {len(names)} layers, the output included, cannot be",
        )
    return set(names[: reuse.first])


def _not_wanted(layer: NamedLayer, layers: Sequence[NamedLayer], transfer: Transfer) -> str:
    if layer is layers[-1] and transfer.reuse.layers is None:
        return "the output layer"
    return "not among transfer.reuse"


def _fit(
    layer: NamedLayer,
    there: str,
    own: Mapping[str, Tensor],
    offer: Offer,
    shape: tuple[int, ...],
    *,
    may_adapt: bool,
) -> tuple[dict[str, Tensor] | None, str, bool]:
    """Returns what a layer begins with (None if nothing fits), why, and whether it was changed."""
    if offer.layers is not None and there not in offer.layers:
        known = any(name.startswith(f"{there}.") for name in offer.tensors)
        reason = f"its {there} is not for reuse" if known else f"it has no {there}"
        return None, reason, False
    given: dict[str, Tensor] = {}
    changed = False
    for name in layer.tensors:
        elsewhere = _renamed(name, layer.name, there)
        found = offer.tensors.get(elsewhere)
        if found is None:
            return None, f"it has no {elsewhere}", False
        wanted = own[name].shape
        if found.shape != wanted and may_adapt:
            found = _adapted(found, wanted, offer.input_shape, shape)
            changed = True
        if found is not None and not found.is_floating_point():
            return None, f"{elsewhere} holds {str(found.dtype).removeprefix('torch.')}", False
        if found is None or found.shape != wanted:
            other = by(offer.tensors[elsewhere].shape)
            return None, f"{elsewhere} is {other} there, {by(wanted)} here", False
        given[name] = found
    reason = "" if there == layer.name else f"from {there}"
    if changed:
        reason = f"made for {by(offer.input_shape or ())} inputs, adapted to {by(shape)}"
    return given, reason, changed


def _renamed(tensor: str, here: str, there: str) -> str:
    """Returns the name that a tensor of a layer has in a net where the layer is called otherwise.

    Tensors of its other modules, such as norm1.weight, keep theirs.
    """
    return f"{there}{tensor.removeprefix(here)}" if tensor.startswith(f"{here}.") else tensor


def _adapted(
    found: Tensor, wanted: torch.Size, before: tuple[int, ...] | None, now: tuple[int, ...]
) -> Tensor | None:
    """Makes weights that look at images of one shape look at another; None where that cannot be.

    The sum that a unit computes of an even image stays the same: over the channels the weights are
    summed and shared out, over the places they are interpolated.
    """
    if found.ndim == 4 and len(wanted) == 4 and found.shape[2:] == wanted[2:]:
        if found.shape[0] != wanted[0]:
            return None
        return found.sum(1, keepdim=True).expand(*wanted).contiguous() / wanted[1]
    if before is None or len(before) < 2 or len(now) < 2:
        return None
    old, new = (((1, *each) if len(each) == 2 else each) for each in (before, now))
    if found.shape[-1] != math.prod(old) or wanted[-1] != math.prod(new) or found.ndim > 2:
        return None
    images = found.reshape(-1, *old)
    if found.ndim == 2:
        images = images.sum(1, keepdim=True) / new[0] * (math.prod(old[1:]) / math.prod(new[1:]))
    else:
        images = images.mean(1, keepdim=True)
    images = images.expand(-1, new[0], -1, -1)
    resized = interpolate(images, new[1:], mode="bilinear", align_corners=False, antialias=True)
    return resized.reshape(wanted) if resized.numel() == math.prod(wanted) else None


def _unused(offer: Offer, used: set[str]) -> Iterator[str]:
    with_kernels = (name for name, tensor in offer.tensors.items() if tensor.ndim > 1)
    modules = dict.fromkeys(name.rpartition(".")[0] for name in with_kernels)
    yield from (module for module in modules if module not in used)


def _kernel(layer: NamedLayer, own: Mapping[str, Tensor]) -> Tensor:
    """Returns the tensor of a layer that says most of it."""
    return max((own[name] for name in layer.tensors), key=lambda tensor: tensor.ndim)


def by(shape: Sequence[int]) -> str:
    """Returns a shape as people write it.

    >>> by((3, 28, 28)), by(())
    ('3 x 28 x 28', 'of unknown shape')
    """
    return " x ".join(map(str, shape)) or "of unknown shape"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
