"""The command that trains a net whose layers are to be reused: pretrain."""

from __future__ import annotations

from dnnlab.cli.options import (
    RUNS,
    ConfigFile,
    Device,
    Json,
    Quiet,
    Runs,
    Seed,
    Set,
    with_shortcuts,
)
from dnnlab.cli.training import DryRun, Name, train


def pretrain(
    config: ConfigFile,
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
    """
    from dnnlab.config.read import read
    from dnnlab.errors import ConfigError

    if read(config, with_shortcuts(options, seed, device)).experiment.pretraining is None:
        raise ConfigError(
            str(config),
            message=f"{config} is no pretraining: it has no `pretraining`",
            remedy=f"add pretraining: autoencoder, or dnnlab train {config}",
        )
    train(config, options, name, runs, seed, device, dry_run, json, quiet)
