"""Trainings and studies as commands carry them out: watched, stopped by a signal, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dnnlab.cli.options import short_name
from dnnlab.cli.signals import Stop
from dnnlab.report.screen import console, note, say, show_json, show_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dnnlab.methods.study import Study
    from dnnlab.methods.train import Training
    from dnnlab.training.loop import Progress


def carry_out(training: Training, stop: Stop, *, json: bool, quiet: bool) -> None:
    """Trains to the end, and then shows the result. Raises typer.Exit once it is asked to stop."""
    from dnnlab.methods.train import Interrupted
    from dnnlab.report.training import show_header, show_result, watch
    from dnnlab.runs.records import read_json

    path, progress = training.folder.path, console(stderr=True)
    stop.if_at_once = lambda: _way_on(training)
    if not quiet:
        for text in (*training.session.data.findings, *training.notes):
            note(text)
        show_header(training.session, progress)
        say(f"run: {path}", "")
    steps = training.carry_on(stop)
    try:
        if quiet:
            for _ in steps:
                pass
        else:
            watch(steps, training.session, progress)
    except Interrupted as error:
        say(f"interrupted at update {error.step:,}, saved.")
        say(f"resume: dnnlab resume {path}")
        raise typer.Exit(stop.exit_code) from None
    result = read_json(path / "result.json")
    if json:
        show_json(result)
        return
    lesson = training.session.experiment.pretraining
    names = training.session.data.class_names if lesson is None else lesson.class_names
    show_result(result, training.folder.rows(), console(), names)
    show_text("", f"run: {path}")
    if not quiet:
        run = short_name(path)
        onward = f"evaluate {run}" if lesson is None else f"transfer --from {run} --to CONFIG"
        say(f"next: dnnlab {onward}")


def _way_on(training: Training) -> str:
    """Says what there is of a training that ends this instant, and the command that goes on."""
    step, path = training.folder.saved_step, training.folder.path
    if step is None:
        return f"nothing was saved yet. begin again: dnnlab resume {path}"
    return f"the checkpoint of update {step:,} is whole. resume: dnnlab resume {path}"


class Followed:
    """Watches the trainings of a study: the source as any training, the others a line each."""

    def __init__(self, stop: Stop, *, quiet: bool) -> None:
        self._stop = stop
        self._quiet = quiet

    def source(self, name: str, training: Training, steps: Iterator[Progress]) -> None:
        """Follows the training that layers are reused from."""
        from dnnlab.report.training import show_header, watch

        path, screen = training.folder.path, console(stderr=True)
        self._stop.if_at_once = lambda: f"resume: the same command, or dnnlab resume {path}"
        if self._quiet:
            for _ in steps:
                pass
            return
        say(f"training {name}: {path}")
        show_header(training.session, screen)
        watch(steps, training.session, screen)

    def member(self, name: str, training: Training, steps: Iterator[Progress]) -> None:
        """Follows one of the trainings that are compared."""
        from dnnlab.errors import DivergedError
        from dnnlab.report.study import line_of

        study = training.folder.path.parent.parent
        self._stop.if_at_once = lambda: f"resume: dnnlab resume {study}"
        try:
            for _ in steps:
                pass
        except DivergedError:
            if not self._quiet:
                say(f"{name}: diverged")
            raise
        if not self._quiet:
            say(line_of(name, training.folder.path))


def carry_out_study(study: Study, stop: Stop, *, json: bool, quiet: bool) -> None:
    """Trains all of a study, and shows what came out. Raises typer.Exit once it is to stop."""
    from dnnlab.methods.train import Interrupted
    from dnnlab.report.study import picture, show_study

    path = study.folder.path
    stop.if_at_once = lambda: f"resume: dnnlab resume {path}"
    if not quiet:
        total = len(study.arms) * len(study.seeds)
        say(f"study: {path}, {total} trainings")
    try:
        followed = Followed(stop, quiet=quiet)
        result = study.carry_on(followed.member, stop, picture, follow_source=followed.source)
    except Interrupted:
        say("interrupted, saved.")
        say(f"resume: dnnlab resume {path}")
        raise typer.Exit(stop.exit_code) from None
    if json:
        show_json(result)
        return
    show_study(result, console())
    show_text("", f"picture: {path / 'plots' / 'study.png'}", f"study: {path}")
    if not quiet:
        say(f"next: dnnlab runs --runs {path / 'runs'}")
