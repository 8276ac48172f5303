"""`dnnlab evaluate`: what a run's net is worth on a split."""

from __future__ import annotations

from typing import Any

from dnnlab.errors import DataError
from dnnlab.methods.trained import Trained
from dnnlab.training.data import Data, prepare_for
from dnnlab.training.evaluation import evaluate


def evaluate_split(trained: Trained, split: str) -> dict[str, Any]:
    """Returns the loss and every metric on `split`. Raises DataError if the data have changed."""
    data = prepare_as_trained(trained)
    examples = data.splits().get(split)
    if examples is None:
        raise DataError(f"there is no {split} split: data.validation is null")
    examples = examples.to(trained.device, trained.dtype)
    experiment = trained.experiment
    if experiment.task == "reconstruction":
        examples = examples.reconstructing()
    if experiment.pretraining is not None:
        examples = examples.as_exam(experiment.pretraining, split)
    metrics = evaluate(trained.state.network, examples, trained.scaling, experiment, tables=True)
    return {
        "schema": 1,
        "run": str(trained.path),
        "step": trained.step,
        "split": split,
        "examples": len(examples),
        "metrics": metrics,
    }


def prepare_as_trained(trained: Trained) -> Data:
    """Reads the run's data again. Raises DataError if they are not those it was trained on."""
    data = prepare_for(trained.experiment, scaling=trained.scaling)
    if data.fingerprint != trained.fingerprint:
        raise DataError(
            f"the data are not those the run was trained on: fingerprint "
            f"{trained.fingerprint[:12]} was {data.fingerprint[:12]} now",
            remedy="restore the data; dnnlab predict RUN --data FILE takes any inputs",
        )
    return data
