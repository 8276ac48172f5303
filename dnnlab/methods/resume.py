"""Going on with a run: what has to be as it was, what may differ, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dnnlab.config.read import read
from dnnlab.errors import DataError, RunError
from dnnlab.experiment import Experiment
from dnnlab.methods.session import Session, assemble
from dnnlab.methods.train import Seconds, Training
from dnnlab.runs.folder import RunFolder, check_run
from dnnlab.runs.records import read_json
from dnnlab.training.machine import Machine


def resume(path: Path, *, device: str | None = None) -> Training:
    """Opens a run where its newest whole checkpoint left it; `device` if not on the one it had.

    Raises RunError if it is in use, finished or damaged, DataError if its data have changed.
    """
    about = check_run(path)
    config = read(path / "config.yaml")
    _same_config(path, about, config.experiment)
    if device is not None:
        config = read(path / "config.yaml", [f"training.device={device}"])
    if (path / "result.json").exists():
        raise RunError(f"{path} is finished", remedy=f"dnnlab evaluate {path}")
    seconds = Seconds()
    folder = RunFolder.reopen(path)
    try:
        session = assemble(config, begin=False)
        _same_data(path, session)
        notes = _other_machine(path, session.machine)
        newest, damaged = folder.load()
        notes += damage(damaged, newest.step if newest else None)
        if newest is None:
            session.state.begin(session.experiment.training.seed)
            notes.append("it was stopped before its first checkpoint: it begins again at update 0")
        else:
            session.state.load(newest.tensors, newest.state["state"])
            spent = newest.state["seconds"]
            seconds.before = spent["total"]
            seconds.training, seconds.evaluation = spent["training"], spent["evaluation"]
        last = max((row["step"] for row in folder.rows()), default=0)
        if last > session.state.step:
            again = last - session.state.step
            notes.append(f"{again} updates after the last checkpoint are applied again")
        folder.event("resumed", step=session.state.step, notes=notes)
    except BaseException:
        folder.close()
        raise
    return Training(session, folder, seconds, notes)


def damage(damaged: dict[int, str], used: int | None) -> tuple[str, ...]:
    """Returns what to say of checkpoints that could not be used."""
    instead = "no other is there" if used is None else f"that of update {used} is used"
    return tuple(
        f"the checkpoint of update {step} is damaged ({reason}); {instead}"
        for step, reason in damaged.items()
    )


def _same_config(path: Path, about: dict[str, Any], experiment: Experiment) -> None:
    if about.get("config_hash") != experiment.digest():
        raise RunError(
            f"{path / 'config.yaml'} was changed since the run began",
            remedy=f"restore it, or train anew: dnnlab train {path / 'config.yaml'}",
        )


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
    keys = ("dnnlab", "torch", "numpy", "device", "device_name", "threads")
    changed = [
        f"{key} {before.get(key)} -> {now[key]}" for key in keys if before.get(key) != now[key]
    ]
    return [f"not bit-exact: {', '.join(changed)}"] if changed else []
