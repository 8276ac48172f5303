"""Going on with a run: what has to be as it was, what may differ, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dnnlab.choices.schedules import Schedule, Span
from dnnlab.config.read import Config, read
from dnnlab.config.write import settings, to_yaml
from dnnlab.errors import ConfigError, DataError, Problem, RunError
from dnnlab.experiment import Experiment
from dnnlab.methods.changes import Change, as_begun, changes, recorded
from dnnlab.methods.examined import examine_once
from dnnlab.methods.saved_data import read_data
from dnnlab.methods.session import Session, assemble
from dnnlab.methods.train import Seconds, Training, room_for
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import RunFolder, check_run, check_runs_folder
from dnnlab.runs.heritage import inherited
from dnnlab.runs.records import read_json, read_rows, scan_rows
from dnnlab.training.data import Data, prepare_for
from dnnlab.training.machine import Machine

MOST_POINTS = 1000
"""Updates at which two schedules are compared."""
MOST_SHOWN = 100
"""Characters of what was said of another machine."""


@dataclass(frozen=True)
class Terms:
    """What whoever resumes a run wants changed, and what he puts up with."""

    options: Sequence[str] = ()
    """Settings, as `--set` has them, over those of the run."""
    accept_changes: bool = False
    """Settings may change on which the rest of the training depends."""
    schedule: Literal["rescale", "hold"] | None = None
    """What becomes of a schedule that looks at the length of the training, when that changes."""
    exact: bool = False
    """Refuse where the bits may not be those of a run that was never stopped."""


def resume(path: Path, terms: Terms | None = None) -> Training:
    """Opens a run where its newest whole checkpoint left it.

    Raises RunError if it is in use, finished or damaged, or not exact though that was asked for;
    ConfigError if its settings have changed in a way that the terms do not allow; DataError if its
    data have changed.
    """
    check_run(path)
    folder = RunFolder.reopen(path)
    try:
        return _opened(folder, terms or Terms())
    except BaseException:
        folder.close()
        raise


def _opened(folder: RunFolder, terms: Terms) -> Training:
    """Refuses what cannot be before anything of the run is changed, its settings last of all."""
    path, seconds = folder.path, Seconds()
    before = _before(path, terms)
    config = read(path / "config.yaml", [*terms.options, *_length(before, terms)])
    found = changes(before, config.experiment)
    refuse_changes(found, config, terms)
    session = assemble(config, _data_of_an_heir(path, config), begin=False, given=inherited(path))
    _same_data(path, session)
    notes, state = _restore(folder, session, seconds), session.state
    if _within(found, "transfer"):
        session.other_stages()
    if _within(found, "regularization.early_stopping"):
        state.ended = ""
    _check_length(before, config, session, found, terms)
    finished = (path / "result.json").exists()
    if finished and (state.ended or state.step == session.plan.total_updates):
        more = "" if state.ended else f"; --set training.epochs={_more_epochs(session)} goes on"
        raise RunError(f"{path} is finished", remedy=f"dnnlab evaluate {path}{more}")
    differences = [*_other_machine(path, session.machine), *_not_free(found)]
    if differences:
        notes.append(f"not bit-exact: {', '.join(differences)}")
    if terms.exact and (all_of_them := [*_earlier_differences(path), *differences]):
        raise RunError(
            f"{path} would not be bit-exact: {', '.join(all_of_them)}",
            remedy="resume it where it began, or without --exact",
        )
    notes += _lost(path, state.step)
    if low := check_runs_folder(path, room_for(session)):
        notes.append(low)
    if finished:
        folder.set_result_aside()
    notes += [str(change) for change in found if change.kind == "free"]
    folder.begin_segment("resumed", step=state.step, notes=notes, differences=differences)
    if found:
        folder.change_config(to_yaml(session.experiment), settings(session.experiment))
    return Training(session, folder, seconds, notes)


def _data_of_an_heir(path: Path, config: Config) -> Data | None:
    """Reads the data of a run that began with another net's weights: they are scaled as they were,
    maybe by that net's data. None for other runs.
    """
    if config.experiment.transfer is None:
        return None
    saved = read_data(path / "data.json", config.experiment)
    return prepare_for(config.experiment, examine_once, saved.scaling)


def _restore(folder: RunFolder, session: Session, seconds: Seconds) -> list[str]:
    """Fills the state from the newest whole checkpoint, or begins it. Returns what to say of it."""
    newest, damaged = folder.load(checkpoints.largest_file(session.state))
    notes = list(damage(damaged, newest.step if newest else None))
    if newest is None:
        session.state.begin(session.experiment.training.seed)
        notes.append("it was stopped before its first checkpoint: it begins again at update 0")
        return notes
    newest.fill(session.state)
    spent = newest.seconds()
    seconds.before = spent["total"]
    seconds.training, seconds.evaluation = spent["training"], spent["evaluation"]
    return notes


def damage(damaged: dict[int, str], used: int | None) -> tuple[str, ...]:
    """Returns what to say of checkpoints that could not be used."""
    instead = "no other is there" if used is None else f"that of update {used} is used"
    return tuple(
        f"the checkpoint of update {step} is damaged ({reason}); {instead}"
        for step, reason in damaged.items()
    )


# --- settings --------------------------------------------------------------------------------


def _before(path: Path, terms: Terms) -> Experiment:
    """Returns what the run has been trained with so far."""
    if (kept := recorded(path)) is not None:
        return kept
    now = read(path / "config.yaml").experiment
    if not as_begun(path, now) and not terms.accept_changes:
        raise RunError(
            f"{path / 'config.yaml'} is not what the run began with, or this dnnlab has other "
            "defaults than the one that began it; it kept too little to say what differs",
            remedy="restore the file, or go on with --accept-changes",
        )
    return now


def _length(before: Experiment, terms: Terms) -> list[str]:
    """Returns what --schedule means as a setting."""
    if terms.schedule is None:
        return []
    if terms.schedule == "rescale":
        return ["schedule.length=null"]
    length = before.schedule.length or before.training.epochs
    return [f"schedule.length={json.dumps(settings(length))}"]


def refuse_changes(found: list[Change], config: Config, terms: Terms) -> None:
    """Raises ConfigError with every change that the terms do not allow."""
    problems = []
    for change in found:
        place = config.document.place_of(change.path)
        if change.kind == "never":
            message = f"{change}; the weights of this run belong to the former: train anew"
            problems.append(place.problem(message))
        elif change.kind == "accept" and not terms.accept_changes:
            if change.path[:2] == ("schedule", "length") and terms.schedule:
                continue
            message = f"{change}; --accept-changes goes on with it, no longer as the run began"
            problems.append(place.problem(message))
    if problems:
        raise ConfigError(config.subject, problems)


def _within(found: list[Change], key: str) -> bool:
    return any(change.key == key or change.key.startswith(key + ".") for change in found)


def _not_free(found: list[Change]) -> list[str]:
    return [str(change) for change in found if change.kind != "free"]


def _check_length(
    before: Experiment, config: Config, session: Session, found: list[Change], terms: Terms
) -> None:
    """Refuses a length that is past already, one that moves rates when nobody said how, and one
    that moves phases.
    """
    step, plan = session.state.step, session.plan
    place = config.document.place_of(("training", "epochs"))

    def refusal(message: str) -> ConfigError:
        return ConfigError(config.subject, [place.problem(f"training.epochs: {message}")])

    if step > plan.total_updates:
        raise refusal(f"{plan.total_updates} updates are fewer than the {step} applied already")
    if not _within(found, "training.epochs"):
        if terms.schedule is not None:
            message = "--schedule says what other training.epochs do to the rate: they are the same"
            raise ConfigError("--schedule", [Problem("--schedule", message)])
        return
    if before.pretraining is not None and session.phases:
        raise refusal("layers learn one after the other, each for its share of it: train anew")
    old = before.plan(plan.num_train)
    stretched = before.schedule.span(Span(plan.total_updates, plan.updates_per_epoch))
    if terms.schedule is None and _differ(before.schedule, old.span, stretched, step):
        rate = before.optimizer.lr

        def at(update: int, span: Span) -> str:
            return f"{rate * before.schedule.lr_factor(update, span):.3g}"

        last, end = old.total_updates - 1, plan.total_updates - 1
        raise refusal(
            f"{before.schedule.name} looks at the length of the training. --schedule rescale "
            f"stretches it: the rate is {at(step, stretched)} at update {step}, where it was "
            f"{at(step, old.span)}, and {at(end, stretched)} at the end. --schedule hold keeps it: "
            f"{at(last, old.span)} from update {last} to the end"
        )


def _differ(schedule: Schedule, one: Span, other: Span, step: int) -> bool:
    every = max(1, one.total // MOST_POINTS)
    return any(
        schedule.lr_factor(update, one) != schedule.lr_factor(update, other)
        or schedule.momentum(update, one) != schedule.momentum(update, other)
        for update in range(min(step, one.total - 1), one.total, every)
    )


def _more_epochs(session: Session) -> float:
    return 2 * session.plan.epoch_of(session.plan.total_updates)


# --- data, machine, what was lost ------------------------------------------------------------


def _same_data(path: Path, session: Session) -> None:
    before = read_json(path / "data.json").get("fingerprint")
    if before != session.data.fingerprint:
        raise DataError(
            f"the data have changed since the run began: fingerprint {str(before)[:12]} was "
            f"{session.data.fingerprint[:12]} now",
            remedy="restore the data, or train anew",
        )


def _other_machine(path: Path, machine: Machine) -> list[str]:
    """Returns what differs from the machine the run began on, if bits may depend on it."""
    before, now = read_json(path / "environment.json"), machine.describe()
    keys = ("dnnlab", "code", "torch", "numpy", "device", "device_name", "threads")
    return [
        f"{key} {str(before[key])[:MOST_SHOWN]} -> {now[key]}"
        for key in keys
        if key in before and before[key] != now[key]
    ]


def _earlier_differences(path: Path) -> list[str]:
    """Returns what was not as at the beginning in segments before this one."""
    found: list[str] = []
    for event in read_rows(path / "events.jsonl"):
        listed: Any = event.get("differences")
        found += [str(each) for each in listed] if isinstance(listed, list) else []
    return found


def _lost(path: Path, step: int) -> list[str]:
    """Returns what a kill has cost: updates that are applied again, and lines that are no rows."""
    notes = []
    reached = [row["step"] for row in scan_rows(path / "metrics.jsonl")[0]]
    try:
        status = read_json(path / "status.json")
    except RunError as error:  # nothing depends on it
        notes.append(str(error))
        status = {}
    if isinstance(status.get("step"), int):
        reached.append(status["step"])
    if (last := max(reached, default=0)) > step:
        notes.append(
            f"it had come to update {last}; the {last - step} after the last checkpoint are "
            "applied again"
        )
    for name in ("metrics.jsonl", "events.jsonl"):
        if bad := scan_rows(path / name)[1]:
            lines = ", ".join(map(str, bad[:5]))
            notes.append(f"{path / name}: {len(bad)} unreadable ({lines}), passed over")
    return notes
