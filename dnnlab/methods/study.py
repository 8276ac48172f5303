"""A study: one question, answered by several trainings that differ in the arm and in the seed.

An arm is one way of training, such as reusing three layers; every arm is trained once with each
seed, so that arms are compared pair by pair. Each training is a run of its own in the study's
folder: killed anywhere, the study goes on with the run that was cut, and comes to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnnlab.config.read import Config
from dnnlab.config.yaml12 import Document
from dnnlab.errors import ConfigError, DivergedError, RunError
from dnnlab.experiment import Experiment
from dnnlab.methods.arms import Arm
from dnnlab.methods.comparison import Kind, Results, compare_arms
from dnnlab.methods.examined import examine_once
from dnnlab.methods.resume import resume
from dnnlab.methods.source import Follow, Origin, Source, load_origin
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.methods.transfer import prepare
from dnnlab.runs.folder import check_runs_folder
from dnnlab.runs.names import check_name
from dnnlab.runs.records import json_bytes, read_json
from dnnlab.runs.study import StudyFolder, read_about
from dnnlab.training.data import Data, prepare_for

MOST_DATA = 8
"""Data sets kept in memory: arms may differ in how many examples they learn from."""


@dataclass
class Study:
    """A study in progress."""

    folder: StudyFolder
    kind: Kind
    origin: Origin
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    command: list[str]
    subject: Config
    """The config that asks the question, for its name and its text."""

    def carry_on(
        self,
        follow: Follow,
        stop: Callable[[], bool] = lambda: False,
        picture: Callable[[dict[str, Any]], bytes] | None = None,
        *,
        follow_source: Follow | None = None,
    ) -> dict[str, Any]:
        """Trains what is not trained yet, and returns the result, which is also written, after its
        picture. The source is followed like the others unless by something of its own.

        Raises Interrupted as soon as `stop` says yes, all that was done being saved; DivergedError
        if the source diverges.
        """
        try:
            results = self._train(follow, follow_source or follow, stop)
            result = {
                "schema": 1,
                "study": str(self.folder.path),
                "source": self._source_run(),
                **compare_arms(self.kind, self.arms, self.seeds, results),
            }
            if picture is not None:
                self.folder.write("plots/study.png", picture(result))
            self.folder.write("result.json", json_bytes(result))
            return result
        finally:
            self.folder.close()

    def _train(self, follow: Follow, follow_source: Follow, stop: Callable[[], bool]) -> Results:
        """Trains all arms with all seeds, as far as that has not been done. Returns the result of
        each, None of one that diverged.
        """
        results: dict[tuple[str, int], dict[str, Any] | None] = {}
        source: Source | None = None
        data: dict[str, Data] = {}
        for seed in self.seeds:
            for arm in self.arms:
                path = self.folder.member(f"{arm.name}-seed-{seed}")
                if not _is_over(path):
                    if stop():
                        raise Interrupted(0)
                    if arm.transferred and source is None:
                        source = self._source(follow_source, stop)
                    training = self._training(path, arm, seed, source, data)
                    with suppress(DivergedError):
                        follow(path.name, training, training.carry_on(stop))
                whole = (path / "result.json").exists()
                results[arm.name, seed] = read_json(path / "result.json") if whole else None
        return results

    def _source(self, follow: Follow, stop: Callable[[], bool]) -> Source:
        """Loads the source. Raises RunError if it is not what the first training reused."""
        source = load_origin(
            self.origin,
            runs=self.folder.path.parent,
            command=self.command,
            follow=follow,
            stop=stop,
        )
        digest, file = source.digest(), self.folder.path / "source.json"
        if not file.exists():
            self.folder.write(file.name, json_bytes({**source.parent, "sha256": digest}))
        elif read_json(file).get("sha256") != digest:
            raise RunError(
                f"{source.name} has other weights than when {self.folder.path} began with it",
                remedy="restore it, or begin another study",
            )
        return source

    def _training(
        self, path: Path, arm: Arm, seed: int, source: Source | None, data: dict[str, Data]
    ) -> Training:
        """Begins a training of the study, or goes on with it."""
        if path.exists():
            return resume(path)
        training = arm.experiment.training.model_copy(update={"seed": seed})
        experiment = arm.experiment.model_copy(update={"training": training})
        if self.kind == "labels":
            experiment = _with_draw(experiment, seed)
        config = self.subject.with_experiment(experiment)
        key = f"{experiment.data.model_dump_json()} {experiment.transfer}"
        read, heritage = data.get(key), None
        if arm.transferred:
            assert source is not None
            prepared = prepare(config, source, read)
            config, read, heritage = prepared.config, prepared.data, prepared.heritage()
        elif read is None:
            read = prepare_for(experiment, examine_once)
        if len(data) == MOST_DATA:
            data.clear()
        data[key] = read
        return start(
            config,
            runs=self.folder.runs,
            name=path.name,
            command=self.command,
            data=read,
            heritage=heritage,
        )

    def _source_run(self) -> str | None:
        """Returns whose weights were reused."""
        file = self.folder.path / "source.json"
        if not file.exists():
            return None
        parent = read_json(file)
        return str(parent.get("run") or parent.get("file"))


def begin(
    subject: Config,
    kind: Kind,
    origin: Origin,
    arms: tuple[Arm, ...],
    *,
    seeds: int,
    runs: Path,
    name: str | None,
    command: list[str],
) -> Study:
    """Makes the folder of a study. Raises ConfigError or RunError before anything is written."""
    if name is not None:
        check_name(name)
    check_runs_folder(runs, 0)
    first = subject.experiment.training.seed
    numbers = tuple(range(first, first + seeds))
    if numbers[-1] >= 2**63:
        raise ConfigError("--seeds", message=f"--seeds {seeds}: seed {first} is too near to 2^63")
    about = {
        "kind": kind,
        "origin": origin.to_json(),
        "arms": [arm.to_json() for arm in arms],
        "seeds": list(numbers),
        "name": subject.name,
    }
    folder = StudyFolder.create(
        runs, name, f"{subject.name}-{kind}", command=command, source=subject.text, about=about
    )
    return Study(folder, kind, origin, arms, numbers, command, subject)


def reopen(path: Path) -> Study:
    """Opens a study where it was left. Raises RunError if it is in use, finished, or damaged."""
    about = read_about(path)
    if (path / "result.json").exists():
        raise RunError(f"{path} is finished", remedy=f"dnnlab runs --runs {path / 'runs'}")
    file = path / "study.json"
    try:
        arms = tuple(Arm.from_json(each, path) for each in about["arms"])
        origin = Origin.from_json(about["origin"], path)
        kind, seeds = about["kind"], tuple(int(seed) for seed in about["seeds"])
        if kind not in ("transfer", "depths", "labels") or not arms or not seeds:
            raise ValueError(f"kind {kind!r}, {len(arms)} arms, {len(seeds)} seeds")
        command = [str(word) for word in about["command"]]
        text = (path / "config.source.yaml").read_bytes()
        subject = Config(str(file), str(about["name"]), text, arms[0].experiment, Document({}))
    except ConfigError as error:
        raise RunError(
            f"{file} says what this dnnlab does not know", remedy="use the dnnlab that wrote it"
        ) from error
    except (KeyError, TypeError, ValueError, OSError, AttributeError) as error:
        raise RunError(f"{file} is not as dnnlab wrote it: {error!r}") from error
    return Study(StudyFolder.reopen(path), kind, origin, arms, seeds, command, subject)


def _with_draw(experiment: Experiment, seed: int) -> Experiment:
    """Returns the experiment with the labelled examples of another draw."""
    few = experiment.data.train_size
    assert few is not None
    drawn = few.model_copy(update={"seed": seed})
    data = experiment.data.model_copy(update={"train_size": drawn})
    return experiment.model_copy(update={"data": data})


def _is_over(path: Path) -> bool:
    """Whether a training has come to its end, be it that it diverged."""
    if (path / "result.json").exists():
        return True
    if not (path / "status.json").exists():
        return False
    return read_json(path / "status.json").get("state") == "diverged"
