"""A config file and its overrides -> one validated Experiment, or every problem at once."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from dnnlab.choices.architectures import DoesNotFit
from dnnlab.choices.datasets import Signature
from dnnlab.config.merge import over, overrides
from dnnlab.config.wording import dotted, nearest, problems
from dnnlab.config.yaml12 import MAX_BYTES, Document, parse
from dnnlab.contradictions import Finding, contradictions
from dnnlab.errors import ConfigError, Problem
from dnnlab.experiment import Experiment
from dnnlab.lint import lint
from dnnlab.spec import families_in

if TYPE_CHECKING:
    from dnnlab.kernels.network import Network


@dataclass(frozen=True)
class Config:
    """An experiment, and the text it was read from."""

    subject: str
    """The file as the user named it."""
    name: str
    """What runs of it are called: the file's name without its ending."""
    text: bytes
    experiment: Experiment
    document: Document
    folder: Path = Path()
    """Where relative paths in it start."""

    def with_experiment(self, experiment: Experiment) -> Config:
        """Returns the config of another experiment that came of this one."""
        return replace(self, experiment=experiment)

    def refusal(self, findings: Iterable[Finding]) -> ConfigError:
        """Returns the error that says these findings with their places."""
        return ConfigError(self.subject, [_placed(finding, self.document) for finding in findings])

    def network(self, signature: Signature) -> Network:
        """Builds the net for data of this shape. Raises ConfigError with the line of what does not
        fit.
        """
        try:
            return self.experiment.network(signature)
        except DoesNotFit as error:
            raise self.refusal([Finding(error.path, str(error))]) from None

    def warnings(self) -> list[Problem]:
        """Returns what the lint has to say, with the lines."""
        return [_placed(finding, self.document) for finding in lint(self.experiment)]


def read(path: str | Path, options: Sequence[str] = ()) -> Config:
    """Reads a config, lays the options (`optimizer.lr=3e-4`) over it and validates the whole.

    Raises ConfigError with every problem.
    """
    return interpret(read_bytes(Path(path)), path, options)


def interpret(text: bytes, path: str | Path, options: Sequence[str] = ()) -> Config:
    """Returns what `read` would of a file with this text, whether there is one or not."""
    subject = str(path)
    document = parse(text, subject=subject)
    document = _extended(document, Path(path), subject)
    document = over(document, overrides(options))
    experiment = validate(document, subject=subject, folder=Path(path).parent)
    return Config(subject, Path(path).stem, text, experiment, document, Path(path).parent)


def validate(document: Document, *, subject: str, folder: Path) -> Experiment:
    """Returns the experiment that a document describes, `auto` resolved. Raises ConfigError."""
    try:
        experiment = Experiment.model_validate(document.data, context={"folder": folder})
    except ValidationError as error:
        raise ConfigError(subject, problems(error, document), remedy=_more(error)) from None
    except UnicodeEncodeError as error:  # pydantic cannot say what is wrong with it
        raise ConfigError(subject, message=f"{subject}: half a character: {error}") from None
    if found := contradictions(experiment):
        raise ConfigError(subject, [_placed(finding, document) for finding in found])
    return experiment.resolved()


def read_bytes(path: Path) -> bytes:
    """Reads a file that a person wrote. Raises ConfigError if it is not one."""
    subject = str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(subject, message=f"{subject} is not a file")
        if status.st_size > MAX_BYTES:
            raise ConfigError(
                subject, message=f"{subject} is over 1 MB; a config is a page of text"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            subject, message=f"there is no file {subject}{_similar(path)}", remedy="dnnlab init"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigError(subject, message=f"{subject!r} cannot be read: {error}") from None


def _similar(path: Path) -> str:
    folder = path.parent
    names = [entry.name for entry in folder.glob("*.y*ml")] if folder.is_dir() else []
    near = nearest(path.name, names)
    return f"; did you mean {folder / near}?" if near else ""


def _extended(document: Document, path: Path, subject: str) -> Document:
    """Lays the document over the file that its `extends` names, relative to its own folder."""
    if "extends" not in document.data:
        return document
    base_name = document.data.pop("extends")
    place = document.place_of(("extends",))
    if not isinstance(base_name, str):
        raise ConfigError(subject, [place.problem("extends: the name of a file is expected")])
    base_path = path.parent / base_name
    try:
        base = parse(read_bytes(base_path), subject=str(base_path), file=base_name)
    except ConfigError as error:
        if error.problems:
            raise
        raise ConfigError(subject, [place.problem(f"extends: {error.message}")]) from None
    if "extends" in base.data:
        deeper = base.place_of(("extends",))
        message = "a config that is extended does not extend another; one level is enough"
        raise ConfigError(subject, [deeper.problem(message)])
    return over(base, document)


def _placed(finding: Finding, document: Document) -> Problem:
    place = document.place_of(finding.path)
    return place.problem(f"{dotted(finding.path)}: {finding.message}")


def _more(error: ValidationError) -> str:
    """Returns the command that explains what was wrong, for the first problem in a family."""
    for details in error.errors(include_url=False, include_context=False, include_input=False):
        key = details["loc"][0] if details["loc"] else ""
        if key in Experiment.model_fields:
            return f"dnnlab describe {_described_as(str(key))}"
    return "dnnlab describe"


def _described_as(key: str) -> str:
    """Returns the family whose members a key takes, or the key itself: `metrics` takes a metric."""
    taken = families_in(Experiment.model_fields[key].annotation)
    return next((family.family for family in taken), key)
