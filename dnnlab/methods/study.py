"""A study: one question, answered by several trainings that differ in the arm and in the seed.

An arm is one way of training, such as reusing three layers; every arm is trained once with each
seed, so that arms are compared pair by pair. Each training is a run of its own in the study's
folder: killed anywhere, the study goes on with the run that was cut, and comes to the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dnnlab.choices.transfer import Reuse, Transfer
from dnnlab.config.read import Config, validate
from dnnlab.config.write import settings
from dnnlab.config.yaml12 import Document
from dnnlab.errors import ConfigError, DivergedError, RunError
from dnnlab.experiment import Experiment
from dnnlab.kernels.statistics import Estimate, estimate, paired_difference, paired_ratio
from dnnlab.methods.examined import examine_once
from dnnlab.methods.resume import resume
from dnnlab.methods.source import Source, load_source, training_of
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.methods.transfer import prepare
from dnnlab.runs.folder import check_runs_folder
from dnnlab.runs.names import check_name
from dnnlab.runs.records import json_bytes, read_json
from dnnlab.runs.study import StudyFolder, read_about
from dnnlab.training.data import Data, prepare_for
from dnnlab.training.loop import Progress

Kind = Literal["transfer", "depths", "labels"]
"""transfer: with reused layers, and maybe from scratch; depths: with 0, 1, 2 ... reused layers;
labels: with few, some and many labels, with reused layers and from scratch."""
SCRATCH = "scratch"
MOST_DATA = 8
"""Data sets kept in memory: arms may differ in how many examples they learn from."""
Follow = Callable[[str, Training, Iterator[Progress]], None]
"""What watches a training: its name, itself, and its steps, which have to be taken to the end."""


@dataclass(frozen=True)
class Arm:
    """One way of training."""

    name: str
    experiment: Experiment
    """The seed in it is replaced."""
    transferred: bool
    """Whether layers of the source are reused."""
    x: int | None = None
    """Where it stands among its like: how many layers are reused, or how many labels there are."""

    def to_json(self) -> dict[str, Any]:
        """Returns it as study.json keeps it."""
        return {
            "name": self.name,
            "transferred": self.transferred,
            "x": self.x,
            "settings": settings(self.experiment),
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any], path: Path) -> Arm:
        """Returns an arm that was kept. Raises KeyError, TypeError or ConfigError."""
        document = Document(saved["settings"])
        experiment = validate(document, subject=str(path), folder=path)
        return cls(str(saved["name"]), experiment, bool(saved["transferred"]), saved["x"])


def arms_of_transfer(experiment: Experiment, *, scratch: bool) -> tuple[Arm, ...]:
    """Returns the arm that reuses layers, and the one from scratch if it is wanted."""
    arms = [Arm("transfer", experiment, transferred=True)]
    if scratch:
        arms.append(Arm(SCRATCH, _from_scratch(experiment), transferred=False))
    return tuple(arms)


def arms_of_depths(
    experiment: Experiment, word: str, num_layers: int, *, scratch: bool = False
) -> tuple[Arm, ...]:
    """Returns an arm for each number of reused layers: `all` of them, or those of "0,1,3". None
    reused is from scratch, which is there too if it is wanted. Raises ConfigError.
    """
    most = num_layers - 1
    try:
        depths = range(most + 1) if word == "all" else sorted({int(n) for n in word.split(",")})
    except ValueError:
        depths = [-1]
    if not depths or depths[0] < 0 or depths[-1] > most:
        raise ConfigError(
            "--reuse-depths",
            message=f"--reuse-depths {word}: all, or numbers from 0 to {most} such as 0,1,{most}",
        )
    arms = []
    for depth in sorted({*depths, 0} if scratch else depths):
        if depth == 0:
            arms.append(Arm(SCRATCH, _from_scratch(experiment), transferred=False, x=0))
            continue
        transfer = experiment.transfer or Transfer()
        reused = transfer.model_copy(update={"reuse": Reuse(first=depth)})
        one = experiment.model_copy(update={"transfer": reused})
        arms.append(Arm(f"first-{depth}", one, transferred=True, x=depth))
    return tuple(arms)


def _from_scratch(experiment: Experiment) -> Experiment:
    return experiment.model_copy(update={"transfer": None})


@dataclass(frozen=True)
class Origin:
    """Where a study takes weights from: a path, or a config that is trained first."""

    path: Path | None = None
    which: str = "kept"
    config: Config | None = None

    @classmethod
    def of(cls, found: Path | Config, which: str) -> Origin:
        """Returns the origin that a word was found to mean: of a config, its training from scratch.

        Raises ConfigError for a checkpoint that the training of a config cannot be asked for.
        """
        if isinstance(found, Path):
            return cls(found, which)
        held_out = found.experiment.data.validation is not None
        if which not in ("kept", "last", "best") or (which == "best" and not held_out):
            known = "kept, best or last" if held_out else "kept or last: nothing is held out"
            raise ConfigError("--checkpoint", message=f"--checkpoint {which} of a config: {known}")
        scratch = found.experiment.model_copy(update={"transfer": None})
        return cls(None, which, found.with_experiment(scratch))

    def to_json(self) -> dict[str, Any]:
        """Returns it as study.json keeps it."""
        if self.config is None:
            assert self.path is not None
            return {"path": str(self.path.absolute()), "checkpoint": self.which}
        return {
            "settings": settings(self.config.experiment),
            "name": self.config.name,
            "text": self.config.text.decode("utf-8", "replace"),
            "checkpoint": self.which,
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any], path: Path) -> Origin:
        """Returns an origin that was kept. Raises KeyError, TypeError or ConfigError."""
        if "path" in saved:
            return cls(Path(saved["path"]), saved["checkpoint"])
        document = Document(saved["settings"])
        experiment = validate(document, subject=str(path), folder=path)
        config = Config(
            str(path), str(saved["name"]), str(saved["text"]).encode(), experiment, document
        )
        return cls(None, saved["checkpoint"], config)


def load_origin(
    origin: Origin,
    *,
    runs: Path,
    command: list[str],
    follow: Follow,
    stop: Callable[[], bool],
    at_folder: Callable[[], None] = lambda: None,
) -> Source:
    """Returns the weights of an origin, for which a config is trained if it was not yet."""
    if origin.config is None:
        assert origin.path is not None
        return load_source(origin.path, origin.which)
    found = training_of(origin.config, runs=runs, command=command, at_folder=at_folder)
    if isinstance(found, Training):
        follow(f"{origin.config.name}, the source", found, found.carry_on(stop))
        found = found.folder.path
    return load_source(found, origin.which)


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
    ) -> dict[str, Any]:
        """Trains what is not trained yet, and returns the result, which is also written, after its
        picture.

        Raises Interrupted as soon as `stop` says yes, all that was done being saved; DivergedError
        if the source diverges.
        """
        try:
            results = self._train(follow, stop)
            result = self._result(results)
            if picture is not None:
                self.folder.write("plots/study.png", picture(result))
            self.folder.write("result.json", json_bytes(result))
            return result
        finally:
            self.folder.close()

    def _train(
        self, follow: Follow, stop: Callable[[], bool]
    ) -> dict[tuple[str, int], dict[str, Any] | None]:
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
                        source = self._source(follow, stop)
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

    def _result(self, results: dict[tuple[str, int], dict[str, Any] | None]) -> dict[str, Any]:
        """Returns what the trainings say together, measured on the test split.

        Arms of which a training diverged have no metrics: those that are left would look too good.
        """
        diverged = {
            arm.name: [seed for seed in self.seeds if results[arm.name, seed] is None]
            for arm in self.arms
        }
        whole = {
            arm.name: [r for seed in self.seeds if (r := results[arm.name, seed]) is not None]
            for arm in self.arms
            if not diverged[arm.name]
        }
        names, left_out = _common_metrics([r for each in whole.values() for r in each])
        arms = {
            name: {
                metric: estimate([result["metrics"]["test"][metric] for result in each])
                for metric in names
            }
            for name, each in whole.items()
        }
        differences = [
            {
                "one": one.name,
                "other": other.name,
                "metrics": {
                    name: paired_difference(value.values, arms[other.name][name].values).to_json()
                    for name, value in arms[one.name].items()
                },
                "error_ratio": _error_ratio(arms[other.name], arms[one.name]),
            }
            for one, other in self._pairs()
            if one.name in arms and other.name in arms
        ]
        return {
            "schema": 1,
            "study": str(self.folder.path),
            "kind": self.kind,
            "source": self._source_run(),
            "seeds": list(self.seeds),
            "split": "test",
            "arms": [
                {
                    "name": arm.name,
                    "transferred": arm.transferred,
                    "x": arm.x,
                    "diverged": diverged[arm.name],
                    "metrics": {
                        name: each.to_json() for name, each in arms.get(arm.name, {}).items()
                    },
                }
                for arm in self.arms
            ],
            "differences": differences,
            "left_out": left_out,
        }

    def _source_run(self) -> str | None:
        """Returns whose weights were reused."""
        file = self.folder.path / "source.json"
        if not file.exists():
            return None
        parent = read_json(file)
        return str(parent.get("run") or parent.get("file"))

    def _pairs(self) -> list[tuple[Arm, Arm]]:
        """Returns which arms are compared: each that reuses layers with the one from scratch."""
        return [
            (arm, other)
            for arm in self.arms
            for other in self.arms
            if arm.transferred
            and not other.transferred
            and (self.kind != "labels" or arm.x == other.x)
        ]


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


def _common_metrics(results: list[dict[str, Any]]) -> tuple[list[str], dict[str, list[str]]]:
    """Returns which numbers of the test split all results have, and of the others the runs that
    have none, since it was not finite.
    """
    names: list[str] = []
    left_out: dict[str, list[str]] = {}
    measured = [result["metrics"]["test"] for result in results]
    for name in dict.fromkeys(name for each in measured for name in each):
        if any(isinstance(each.get(name), list) for each in measured):
            continue  # a table
        lacking = [
            str(result["run"])
            for result, each in zip(results, measured, strict=True)
            if not isinstance(each.get(name), int | float)
        ]
        if lacking:
            left_out[name] = lacking
        else:
            names.append(name)
    return names, left_out


def _error_ratio(one: dict[str, Estimate], other: dict[str, Estimate]) -> dict[str, Any] | None:
    """Returns how many times the error of `one` is that of `other`; None where none is counted."""
    if "accuracy" not in one:
        return None
    errors = [[1 - value for value in each["accuracy"].values] for each in (one, other)]
    ratio, interval = paired_ratio(*errors)
    return {
        "ratio": ratio,
        "ci95": None if interval is None else list(interval),
        "errors": [estimate(each).mean for each in errors],
    }
