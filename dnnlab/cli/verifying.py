"""The command that proves a promise on the user's own machine: verify-resume."""

from __future__ import annotations

from typing import Annotated

import typer

from dnnlab.cli.options import ConfigFile, Device, Json, Quiet, Seed, Set, with_shortcuts
from dnnlab.report.screen import note, say, show_json, show_text

Updates = Annotated[
    int, typer.Option("--updates", min=4, max=100_000, help="How long the trainings are.")
]
Times = Annotated[int, typer.Option("--times", min=1, max=100, help="How often it is interrupted.")]


def verify_resume(
    config: ConfigFile,
    options: Set = [],  # noqa: B006
    updates: Updates = 40,
    times: Times = 4,
    seed: Seed = None,
    device: Device = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Interrupt a short training of a config several times, and compare every bit of its end with
    that of an uninterrupted one.

    \b
    dnnlab verify-resume configs/batch_norm.yaml
    dnnlab verify-resume mine.yaml --device cuda --updates 200 --times 10
    """
    from dnnlab.config.read import read
    from dnnlab.methods.verify_resume import verify

    settings = read(config, with_shortcuts(options, seed, device))
    verdict = verify(
        settings, updates=updates, times=times, say=(lambda _: None) if quiet else note
    )
    if json:
        show_json({"config": str(config), **verdict.to_json()})
    elif verdict.exact:
        show_text(
            f"exact: interrupted {len(verdict.interruptions)} times in {verdict.updates} updates, "
            f"{verdict.tensors} tensors and {verdict.records} records are the same to the bit"
        )
    else:
        show_text(f"NOT exact: {len(verdict.differences)} differences")
        for difference in verdict.differences:
            show_text(f"  {difference}")
    if not verdict.exact:
        raise typer.Exit(1)
    if not quiet:
        say(f"next: dnnlab train {config}")
