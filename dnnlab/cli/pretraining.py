"""The command that trains a net whose layers are to be reused: pretrain."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dnnlab.cli.following import carry_out_study
from dnnlab.cli.options import (
    RUNS,
    ConfigFile,
    Device,
    DryRun,
    Json,
    Name,
    Quiet,
    Runs,
    Seed,
    Set,
    with_shortcuts,
)
from dnnlab.cli.signals import stop_at_interrupt, stoppable
from dnnlab.cli.training import train
from dnnlab.report.screen import note, say, show_json, show_warnings

LabelCurve = Annotated[
    str | None,
    typer.Option(
        "--label-curve",
        metavar="N,N,...",
        help="Then learn from N labels, with pretrained layers and from scratch, and plot it.",
    ),
]
To = Annotated[
    Path | None,
    typer.Option(
        "--to",
        metavar="CONFIG",
        help="How labels are learned, to which --set does not apply.",
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option(
        "--seeds", min=1, max=1000, metavar="K", help="With --label-curve: so many seeds; else 5."
    ),
]
USUAL_SEEDS = 5


def pretrain(
    config: ConfigFile,
    label_curve: LabelCurve = None,
    target: To = None,
    seeds: Seeds = None,
    options: Set = [],  # noqa: B006
    name: Name = None,
    runs: Runs = RUNS,
    seed: Seed = None,
    device: Device = None,
    dry_run: DryRun = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a net on a lesson without labels, or with few, so that its layers can be reused.

    \b
    dnnlab pretrain configs/rotation.yaml
    dnnlab transfer --from @last --to few_labels.yaml
    dnnlab pretrain configs/autoencoder.yaml --label-curve 100,200,500

    --label-curve then trains the same net on so many labels of the same data, with the pretrained
    layers and from scratch. Without --to that is nadam at 0.001 for 1,000 updates of 32 examples,
    the pretrained layers frozen for the first 200.
    """
    from dnnlab.config.read import read
    from dnnlab.errors import ConfigError

    settings = with_shortcuts(options, seed, device)
    lesson = read(config, settings)
    if lesson.experiment.pretraining is None:
        raise ConfigError(
            str(config),
            message=f"{config} is no pretraining: it has no `pretraining`",
            remedy=f"add pretraining: autoencoder, or dnnlab train {config}",
        )
    if label_curve is None:
        for option, value in (("--to", target), ("--seeds", seeds)):
            if value is not None:
                raise ConfigError(option, message=f"{option} goes with --label-curve 100,200,500")
        train(config, options, name, runs, seed, device, dry_run, json, quiet)
        return
    from dnnlab.methods import study
    from dnnlab.methods.label_curve import arms_of_labels, check_arms, counts_of, labelled
    from dnnlab.methods.source import Origin
    from dnnlab.methods.transfer import expected

    stop_at_interrupt("nothing was written")
    counts = counts_of(label_curve)
    question = labelled(lesson)
    if target is not None:
        question = replace(read(target, with_shortcuts([], seed, device)), name=lesson.name)
    if not quiet:
        show_warnings(lesson.warnings(), sys.stderr)
        show_warnings(question.warnings() if target is not None else [], sys.stderr)
    if lesson.experiment.pretraining.learns_labels and not quiet:
        note("the lesson looks at labels too, which the trainings from scratch never see")
    arms = arms_of_labels(question.experiment, counts)
    check_arms(question, arms, expected(lesson))
    if dry_run:
        trainings = len(arms) * (seeds or USUAL_SEEDS)
        if json:
            listed = [{"name": arm.name, "labels": arm.x} for arm in arms]
            show_json({"schema": 1, "arms": listed, "trainings": trainings})
        say(f"{trainings} trainings, after the pretraining. nothing was written")
        return
    with stoppable() as stop:
        begun = study.begin(
            question,
            "labels",
            Origin.of(lesson, "kept"),
            arms,
            seeds=seeds or USUAL_SEEDS,
            runs=runs,
            name=name,
            command=sys.argv,
        )
        stop.watch()
        carry_out_study(begun, stop, json=json, quiet=quiet)
