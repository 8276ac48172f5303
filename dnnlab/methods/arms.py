"""The arms of a study: ways of training that differ in one thing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnnlab.choices.transfer import Reuse, Transfer
from dnnlab.config.read import validate
from dnnlab.config.write import settings
from dnnlab.config.yaml12 import Document
from dnnlab.errors import ConfigError
from dnnlab.experiment import Experiment

SCRATCH = "scratch"


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
