"""`dnnlab verify-resume`: the proof that a training of this config resumes to the same bits."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch

from dnnlab import disk
from dnnlab.config.read import Config, read
from dnnlab.config.write import to_yaml
from dnnlab.errors import MachineError
from dnnlab.methods.resume import resume
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.runs import checkpoints
from dnnlab.runs.records import measurements, read_json
from dnnlab.spec import Duration

How = Literal["killed", "stopped"]
"""killed: SIGKILL, nothing is saved. stopped: as by Ctrl-C, the state is saved."""
CLOCKED = ("seconds", "segment")
"""What of a record no resumed run has in common with an uninterrupted one."""


@dataclass(frozen=True)
class Interruption:
    """An end of a process in mid-training: at the first look at or after an update."""

    update: int
    how: How


@dataclass(frozen=True)
class Verdict:
    """What an interrupted training has in common with an uninterrupted one."""

    updates: int
    interruptions: tuple[Interruption, ...]
    tensors: int
    records: int
    differences: tuple[str, ...]
    """What is not the same to the bit, by name; empty where resuming is exact."""

    @property
    def exact(self) -> bool:
        """Whether every bit is the same."""
        return not self.differences

    def to_json(self) -> dict[str, Any]:
        """Returns the verdict as `verify-resume --json` prints it."""
        listed = [{"update": each.update, "how": each.how} for each in self.interruptions]
        return {
            "schema": 1,
            "exact": self.exact,
            "updates": self.updates,
            "interruptions": listed,
            "tensors": self.tensors,
            "records": self.records,
            "differences": list(self.differences),
        }


def verify(
    config: Config, *, updates: int, times: int, say: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Trains a config for some updates, once uninterrupted and once through `times` interruptions,
    each in a process of its own, and compares all that is left.

    Raises MachineError if even two uninterrupted trainings differ: then nothing can be exact here.
    """
    with TemporaryDirectory(prefix="dnnlab-verify-") as folder:
        file = Path(folder) / "verify.yaml"
        disk.write_new(file, to_yaml(_short(config, updates).experiment).encode())
        runs = Path(folder) / "runs"
        say(f"training {updates} updates without interruption, twice")
        whole, again = (_finish(_begin(file, runs, name)) for name in ("whole", "again"))
        if unlike := differences(whole, again):
            raise MachineError(
                f"two uninterrupted trainings differ ({', '.join(unlike[:3])}): the arithmetic of "
                "this machine is not repeatable",
                remedy="training.threads: 1 and training.device: cpu make it so; "
                "dnnlab doctor looks at the machine",
            )
        last = _end(whole).step
        interruptions = _interruptions(last, times)
        for each in interruptions:
            say(f"interrupted at update {each.update}: {each.how}")
            _in_a_process(file, runs, each)
        cut = runs / "cut"
        _finish(resume(cut) if cut.exists() else _begin(file, runs, "cut"))
        end = _end(whole)
        return Verdict(
            updates=last,
            interruptions=interruptions,
            tensors=sum(len(tensors) for tensors in end.tensors.values()),
            records=len(measurements(whole)),
            differences=tuple(differences(whole, cut)),
        )


def differences(left: Path, right: Path) -> list[str]:
    """Names what differs between two finished runs to the bit, clocks aside."""
    one, other = _end(left), _end(right)
    found = [
        f"{group}: {name}"
        for group in sorted(one.tensors.keys() | other.tensors.keys())
        for name in _unlike(one.tensors.get(group, {}), other.tensors.get(group, {}))
    ]
    numbers = one.state["state"], other.state["state"]
    keys = sorted(numbers[0].keys() | numbers[1].keys())
    found += [f"state: {key}" for key in keys if numbers[0].get(key) != numbers[1].get(key)]
    if _records(left) != _records(right):
        found.append("records")
    results = read_json(left / "result.json"), read_json(right / "result.json")
    found += [f"result: {key}" for key in ("metrics", "best") if results[0][key] != results[1][key]]
    return found


def _unlike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> list[str]:
    return [
        name
        for name in sorted(one.keys() | other.keys())
        if name not in one or name not in other or not torch.equal(one[name], other[name])
    ]


def _records(run: Path) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if key not in CLOCKED}
        for row in measurements(run)
    ]


def _end(run: Path) -> checkpoints.Checkpoint:
    newest, _ = checkpoints.load_newest(run / "checkpoints")
    assert newest is not None, "a finished run has a checkpoint"
    return newest


def _short(config: Config, updates: int) -> Config:
    """Returns the config for a few updates, with evaluations and checkpoints among them that do not
    fall together.
    """
    shortened = config.experiment.training.model_copy(
        update={
            "epochs": Duration(updates=updates),
            "evaluate_every": Duration(updates=max(1, updates // 5)),
            "checkpoint_every": Duration(updates=max(1, updates // 4)),
        }
    )
    return replace(config, experiment=config.experiment.model_copy(update={"training": shortened}))


def _interruptions(last: int, times: int) -> tuple[Interruption, ...]:
    """Spreads interruptions over a training; every other one lets it save."""
    updates = sorted({max(1, round(last * (n + 0.6) / times)) for n in range(times)})
    return tuple(
        Interruption(update, "stopped" if n % 2 else "killed")
        for n, update in enumerate(updates)
        if update < last
    )


def _begin(file: Path, runs: Path, name: str) -> Training:
    return start(read(file), runs=runs, name=name, command=["dnnlab", "verify-resume"])


def _finish(training: Training) -> Path:
    for _ in training.carry_on():
        pass
    return training.folder.path


def _in_a_process(file: Path, runs: Path, interruption: Interruption) -> None:
    process = multiprocessing.get_context("spawn").Process(
        target=_train_until, args=(file, runs, interruption)
    )
    process.start()
    process.join()
    wanted = -signal.SIGKILL if interruption.how == "killed" else 0
    if process.exitcode != wanted:
        raise AssertionError(f"the training ended with {process.exitcode}, not {wanted}")


def _train_until(file: Path, runs: Path, interruption: Interruption) -> None:
    """Begins or resumes, and ends as asked; in a process that nothing else depends on."""
    cut = runs / "cut"
    training = resume(cut) if (cut / "run.json").exists() else _begin(file, runs, "cut")
    state = training.session.state

    def is_there() -> bool:
        if state.step >= interruption.update and interruption.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return state.step >= interruption.update

    try:
        for _ in training.carry_on(is_there):
            pass
    except Interrupted:
        return
