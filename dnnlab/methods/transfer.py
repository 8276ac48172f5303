"""`dnnlab transfer`: a training whose lower layers begin with the weights of another net."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from dnnlab.choices.transfer import Transfer
from dnnlab.config.read import Config
from dnnlab.contradictions import Finding
from dnnlab.errors import ConfigError, RunError
from dnnlab.methods.examined import examine_once
from dnnlab.methods.source import Source, worth_reusing
from dnnlab.plan import Plan
from dnnlab.runs.heritage import Heritage
from dnnlab.training.data import Data, prepare_for
from dnnlab.training.phases import Phases, begins_anew, of_transfer
from dnnlab.training.precision import weights_dtype
from dnnlab.training.reuse import NoSuchLayer, Offer, Reused, Row, by, compare


class NothingInCommon(RunError):
    """No layer can be reused; with the table that says why, layer by layer."""

    def __init__(self, table: Table) -> None:
        super().__init__(
            f"no layer of {table.source} can be reused",
            remedy="transfer.reuse names layers, transfer.names says what they are called there, "
            "transfer.inputs: resize | adapt makes inputs fit",
        )
        self.table = table


@dataclass(frozen=True)
class TableRow(Row):
    """What becomes of a layer, and when it learns."""

    frozen_until: int | None
    """The update at which it begins to learn; 0: it does from the start; None: never."""
    lr_factors: tuple[float, ...]
    """What its rate is multiplied by, phase by phase; 0: frozen."""


@dataclass(frozen=True)
class Table:
    """What a transfer is about to do, layer by layer: nothing is reused or skipped in silence."""

    source: str
    rows: tuple[TableRow, ...]
    unused: tuple[str, ...]
    """The source's layers that nothing is taken from."""
    phases: tuple[int, ...]
    """The first update of each phase."""
    anew: tuple[int, ...]
    """The updates at which the optimizer begins anew."""
    updates_per_epoch: int
    total_updates: int

    def to_json(self) -> dict[str, Any]:
        """Returns the table as transfer.json and `--json` have it."""
        return {
            "schema": 1,
            "source": self.source,
            "layers": [
                {
                    "layer": row.layer,
                    "fate": row.fate,
                    "reason": row.reason,
                    "shape": list(row.shape),
                    "parameters": row.parameters,
                    "frozen_until": row.frozen_until,
                    "lr_factors": list(row.lr_factors),
                }
                for row in self.rows
            ],
            "unused": list(self.unused),
            "phases": list(self.phases),
            "anew": list(self.anew),
            "updates_per_epoch": self.updates_per_epoch,
            "total_updates": self.total_updates,
        }


@dataclass(frozen=True)
class Prepared:
    """A transfer that can be started."""

    config: Config
    """With everything that the source decides."""
    data: Data
    table: Table
    reused: Reused
    parent: dict[str, Any]
    notes: tuple[str, ...]

    def heritage(self) -> Heritage:
        """Returns a copy of what is reused, for the new run."""
        return Heritage.of(self.parent, self.table.to_json(), self.reused.tensors)


def expected(config: Config) -> Source:
    """Returns what a net will offer once it is trained: names and shapes, without memory."""
    data = prepare_for(config.experiment, examine_once)
    network = config.network(data.signature)
    offer = Offer(
        {name: tensor.detach() for name, tensor in network.tensors().items()},
        worth_reusing(config.experiment, data.signature),
        data.signature.input_shape,
        data.scaling,
        data.columns,
    )
    return Source(offer, {"run": f"{config.subject}, yet to be trained"})


def prepare(config: Config, source: Source, data: Data | None = None) -> Prepared:
    """Finds out what can be reused. Nothing is written. `data` are those of an earlier call for the
    same data and source.

    Raises ConfigError with the line for a layer that is not there; RunError where inputs differ and
    nobody said what to do, and NothingInCommon.
    """
    experiment = config.experiment
    if experiment.pretraining is not None:
        finding = Finding(("pretraining",), "a transfer is for learning targets; leave this out")
        raise config.refusal([finding])
    transfer = experiment.transfer or Transfer()
    scaling = source.offer.scaling if transfer.scaling == "source" else None
    data = data or prepare_for(experiment, examine_once, scaling)
    notes = list(source.notes)
    if scaling is not None and not scaling.fits(data.signature.input_shape):
        notes.append("inputs of another shape: they are scaled by statistics of their own")
    transfer = _inputs_settled(transfer, source, data.signature.input_shape)
    config = config.with_experiment(experiment.model_copy(update={"transfer": transfer}))
    network = config.network(data.signature)
    plan = config.experiment.plan(len(data.train))
    shape = transfer.resize_to or data.signature.input_shape
    try:
        reused = compare(network, source.offer, transfer, shape)
        names = [layer.name for layer in network.layers()]
        phases = of_transfer(transfer, plan, names, reused.layers)
        _refuse_idleness(phases, plan)
    except NoSuchLayer as error:
        raise config.refusal([Finding(error.path, str(error))]) from None
    if scaling is not None or reused.rows[0].fate == "reused":
        _refuse_other_columns(source, data)
    _refuse_what_is_no_number(source, reused, weights_dtype(experiment.training.precision))
    table = _table(source, reused, phases, plan)
    if not reused.layers and transfer.reuse.first != 0:
        raise NothingInCommon(table)
    notes += _notes(table, transfer)
    return Prepared(config, data, table, reused, source.parent, tuple(notes))


def _inputs_settled(transfer: Transfer, source: Source, here: tuple[int, ...]) -> Transfer:
    """Returns the section with the shape that images are given. Raises RunError where the inputs
    differ and nothing is said of it.
    """
    there = source.offer.input_shape
    if transfer.inputs == "resize":
        shape = transfer.resize_to or there
        if shape is None:
            text = f"{source.name} does not say what it was trained on: transfer.resize_to says it"
            raise ConfigError("transfer", message=text)
        if len(shape) < 2 or len(here) < 2:
            raise RunError(f"only images can be resized: {by(shape)} there, {by(here)} here")
        return transfer.model_copy(update={"resize_to": shape})
    if transfer.inputs == "same" and there is not None and there != here:
        raise RunError(
            f"{source.name} was trained on inputs of {by(there)}, these are {by(here)}",
            remedy="transfer.inputs: resize makes these images like those, adapt the first layer's "
            "weights",
        )
    return transfer


def _refuse_other_columns(source: Source, data: Data) -> None:
    """Raises RunError where inputs stand for something else than they did there."""
    for number, (there, here) in enumerate(zip(source.offer.columns, data.columns, strict=False)):
        if there != here:
            raise RunError(
                f"column {number + 1} of the inputs is {_named(there)} for {source.name}, "
                f"{_named(here)} here",
                remedy="the same columns in the same order, or reuse only layers above the first, "
                "with transfer.scaling: own",
            )


def _named(column: dict[str, Any]) -> str:
    known = column.get("categories")
    words = f" of {len(known)} categories" if isinstance(known, list | tuple) else ""
    return f"'{column.get('name')}' ({column.get('kind')}{words})"


def _refuse_what_is_no_number(source: Source, reused: Reused, dtype: torch.dtype) -> None:
    """Raises RunError for weights that no training could begin with."""
    for name, tensor in reused.tensors.items():
        if not tensor.is_meta and not torch.isfinite(tensor.to(dtype)).all():
            word = str(dtype).removeprefix("torch.")
            raise RunError(
                f"{name} of {source.name} is not finite in {word}", remedy="use other weights"
            )


def _refuse_idleness(phases: Phases, plan: Plan) -> None:
    """Raises NoSuchLayer for a phase in which no layer learns."""
    for phase in phases:
        if phase.start < plan.total_updates and not any(phase.factors.values()):
            text = f"every layer is reused and frozen from update {phase.start} on: none learns"
            raise NoSuchLayer(("transfer", "stages"), text)


def _table(source: Source, reused: Reused, phases: Phases, plan: Plan) -> Table:
    begun = [phase for phase in phases if phase.start < plan.total_updates]
    rows = []
    for row in reused.rows:
        learns = [phase.start for phase in begun if not phase.frozen(row.layer)]
        rows.append(
            TableRow(
                **vars(row),
                frozen_until=learns[0] if learns else None,
                lr_factors=tuple(phase.factors[row.layer] for phase in begun),
            )
        )
    return Table(
        source=source.name,
        rows=tuple(rows),
        unused=reused.unused,
        phases=tuple(phase.start for phase in begun),
        anew=tuple(phase.start for phase in begun if begins_anew(phases, phase.start)),
        updates_per_epoch=plan.updates_per_epoch,
        total_updates=plan.total_updates,
    )


def _notes(table: Table, transfer: Transfer) -> list[str]:
    """Returns what a person should know that the table does not say loudly enough."""
    notes = []
    frozen = [row.layer for row in table.rows if row.frozen_until is None]
    last = transfer.stages[-1].unfreeze
    if frozen and last.which == "all":
        notes.append(
            f"frozen to the end: {', '.join(frozen)}; the {table.total_updates} updates of the "
            "training are over before the stage that unfreezes them"
        )
    return notes
