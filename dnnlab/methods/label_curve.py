"""How much pretraining is worth: the same net from few labels to many, with it and without."""

from __future__ import annotations

from typing import Any

from dnnlab.choices.datasets.dataset import Holdout
from dnnlab.choices.transfer import Transfer
from dnnlab.config.read import Config, validate
from dnnlab.config.yaml12 import Document
from dnnlab.errors import ConfigError, DataError
from dnnlab.experiment import Experiment
from dnnlab.methods.arms import SCRATCH, Arm
from dnnlab.methods.source import Source
from dnnlab.methods.transfer import prepare

UPDATES, FROZEN = 1000, 200
"""Of the labelled training that no config describes: all, and those with reused layers frozen."""
BATCH = 32
KEPT = (
    *("data", "architecture", "initializer", "bias_initializer", "activation", "normalization"),
    *("regularization", "gradient_clipping"),
)
"""What the labelled training has in common with the pretraining, where no config describes it."""
MACHINE = ("seed", "device", "threads", "precision", "divergence")


def labelled(config: Config) -> Config:
    """Returns the training that learns the labels of a pretraining's data with the same net.

    Nadam with a rate of 0.001 and 1,000 updates of 32 examples; what is reused is frozen for the
    first 200. Raises ConfigError if the data have no targets that such a net could learn.
    """
    given = config.document.data
    training = given.get("training")
    own = training if isinstance(training, dict) else {}
    every = {"updates": UPDATES // 2}
    stages = [{"epochs": {"updates": FROZEN}, "unfreeze": "none"}, {"unfreeze": "all"}]
    kept = {key: given[key] for key in KEPT if key in given}
    if isinstance(kept.get("regularization"), dict):
        kept["regularization"] = {
            key: value for key, value in kept["regularization"].items() if key != "early_stopping"
        }
    data: dict[str, Any] = {
        **kept,
        "optimizer": {"name": "nadam", "lr": 1e-3},
        "transfer": {"stages": stages},
        "training": {
            **{key: own[key] for key in MACHINE if key in own},
            "epochs": {"updates": UPDATES},
            "batch_size": BATCH,
            "evaluate_every": every,
            "checkpoint_every": every,
        },
    }
    document = Document(data, config.document.keys, config.document.values)
    folder = config.folder
    return config.with_experiment(validate(document, subject=config.subject, folder=folder))


def counts_of(word: str) -> tuple[int, ...]:
    """Returns the numbers of labels in "100,200,500", the smallest first. Raises ConfigError."""
    try:
        counts = tuple(sorted({int(part) for part in word.split(",")}))
    except ValueError:
        counts = ()
    if not counts or counts[0] < 2:
        message = f"--label-curve {word}: numbers of labelled examples, such as 100,200,500"
        raise ConfigError("--label-curve", message=message)
    return counts


def arms_of_labels(experiment: Experiment, counts: tuple[int, ...]) -> tuple[Arm, ...]:
    """Returns for each number of labels an arm with reused layers and one from scratch.

    Where the examples have classes, there are as many of each as there are in all. With each seed
    others are drawn.
    """
    classes = experiment.task == "classification"
    arms = []
    for count in counts:
        few = Holdout(random=count, stratified=classes)
        batch = min(experiment.training.batch_size, count)
        one = experiment.model_copy(
            update={
                "data": experiment.data.model_copy(update={"train_size": few}),
                "training": experiment.training.model_copy(update={"batch_size": batch}),
                "transfer": experiment.transfer or Transfer(),
            }
        )
        scratch = one.model_copy(update={"transfer": None})
        arms.append(Arm(f"pretrained-{count}", one, transferred=True, x=count))
        arms.append(Arm(f"{SCRATCH}-{count}", scratch, transferred=False, x=count))
    return tuple(arms)


def check_arms(config: Config, arms: tuple[Arm, ...], source: Source) -> None:
    """Raises DataError, ConfigError or RunError for what would fail later: too few examples, a net
    that has nothing in common with the pretrained one.
    """
    for arm in arms:
        if not arm.transferred:
            continue
        try:
            prepare(config.with_experiment(arm.experiment), source)
        except DataError as error:
            text = f"--label-curve {arm.x}: {error.message}"
            raise DataError(text, remedy="other numbers of labels") from error
