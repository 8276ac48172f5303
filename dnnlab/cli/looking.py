"""Commands that look at runs and nets: evaluate, predict, runs, summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dnnlab.cli.options import (
    LAST,
    RUNS,
    ConfigFile,
    Device,
    Json,
    Run,
    Runs,
    Set,
    Which,
    check_place,
    short_name,
)
from dnnlab.report.screen import console, note, say, show_csv, show_json, show_text

Split = Annotated[str, typer.Option("--split", metavar="SPLIT", help="train, validation or test.")]
DataFile = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE", help="Raw inputs: a table, NPZ with `inputs`, images."),
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="FILE", help="Where to: .csv or .npz; - is stdout.")
]


def evaluate(
    run: Run = LAST,
    split: Split = "test",
    which: Which = "kept",
    runs: Runs = RUNS,
    device: Device = None,
    json: Json = False,
) -> None:
    """Measure a run's net on one of its splits.

    \b
    dnnlab evaluate @last --split validation
    """
    from dnnlab.methods.evaluate import evaluate_split
    from dnnlab.methods.trained import load_trained
    from dnnlab.report.tables import show_metrics

    wanted, path = _split(split), _find(run, runs)
    trained = load_trained(path, which=which, device=device)
    for text in trained.notes:
        note(text)
    result = evaluate_split(trained, wanted)
    if json:
        show_json(result)
        return
    show_metrics(result, console(), trained.class_names)
    say(f"{path}, weights of update {result['step']:,}")
    if trained.experiment.pretraining is not None:
        say(f"next: dnnlab transfer --from {short_name(path)} --to CONFIG")
        return
    say(f"next: dnnlab predict {short_name(path)} --split {split} --out predictions.csv")


def predict(
    run: Run = LAST,
    data: DataFile = None,
    split: Split = "test",
    out: Out = Path("predictions.csv"),
    which: Which = "kept",
    runs: Runs = RUNS,
    device: Device = None,
    json: Json = False,
) -> None:
    """Write a run's prediction for every example of a split, or of a file of new inputs.

    \b
    dnnlab predict @last --split test --out predictions.csv
    dnnlab predict @last --data new_rows.csv --out predictions.npz
    """
    from dnnlab.methods.predict import predict_file, predict_split
    from dnnlab.methods.trained import load_trained

    wanted = _split(split)
    _check_out(out, json=json)
    path = _find(run, runs)
    trained = load_trained(path, which=which, device=device)
    found = predict_split(trained, wanted) if data is None else predict_file(trained, data)
    for text in (*trained.notes, *found.notes):
        note(text)
    if str(out) == "-":
        show_csv(found.to_csv())
        return
    _write(
        out,
        found.to_npz() if out.suffix == ".npz" else found.to_csv().encode(errors="surrogateescape"),
    )
    if json:
        about = {"schema": 1, "run": str(path), "examples": len(found), "file": str(out)}
        show_json(about)
        return
    show_text(f"{out}: {len(found):,} predictions")
    say("next: dnnlab runs")


def runs_command(runs: Runs = RUNS, json: Json = False) -> None:
    """List the runs of a folder: how far they are, what they reached.

    \b
    dnnlab runs
    """
    from dnnlab.runs.listing import list_runs

    found = list_runs(runs)
    if json:
        show_json({"schema": 1, "runs": found})
        return
    from dnnlab.report.tables import show_runs

    if not found:
        show_text(f"no runs in {runs}")
        say("next: dnnlab train configs/digits.yaml")
        return
    show_runs(found, console())
    stopped = found[-1]["state"] in ("interrupted", "killed", "failed")
    verb = "resume" if stopped else "evaluate"
    say(f"next: dnnlab {verb} {short_name(Path(found[-1]['path']))}")


def summary(config: ConfigFile, options: Set = [], json: Json = False) -> None:  # noqa: B006
    """Show the layers of a net, their output shapes and parameters. Nothing is trained.

    \b
    dnnlab summary configs/batch_norm.yaml
    """
    from dnnlab.config.read import read
    from dnnlab.methods.summary import summarize

    found = summarize(read(config, options))
    if json:
        show_json(found.to_json())
        return
    from dnnlab.report.tables import show_summary

    show_summary(found, console())
    say(f"next: dnnlab train {config} --dry-run")


def _find(run: str, runs: Path) -> Path:
    """Finds a run, and says which one it was where the user named none."""
    from dnnlab.runs.names import find

    path = find(run, runs)
    if run == LAST:
        say(f"@last is {path}")
    return path


def _split(word: str) -> str:
    from dnnlab.errors import ConfigError

    if word not in ("train", "validation", "test"):
        raise ConfigError("--split", message=f"--split {word}: not train, validation or test")
    return word


def _check_out(out: Path, *, json: bool) -> None:
    from dnnlab.errors import ConfigError

    if str(out) == "-" and json:
        raise ConfigError(
            "--out", message="--out - prints the table on stdout, where --json prints"
        )
    if str(out) == "-":
        return
    if out.suffix not in (".csv", ".npz"):
        raise ConfigError("--out", message=f"--out {out}: the ending is not .csv or .npz")
    check_place(out, "--out")


def _write(path: Path, content: bytes) -> None:
    from dnnlab.disk import explained, replace

    with explained(path):
        replace(path, content)
