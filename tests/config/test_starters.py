from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from dnnlab.config.starters import Kind, starter
from tests.support import config_file


@pytest.mark.parametrize("kind", get_args(Kind))
def test_a_starter_is_a_good_config(kind: Kind, tmp_path: Path) -> None:
    config = config_file(tmp_path, starter(kind, "mine.yaml"))
    assert config.warnings() == []
    assert "dnnlab train mine.yaml" in config.text.decode()
    assert all(len(line) <= 100 for line in config.text.decode().splitlines())


def test_the_two_kinds_are_the_chapters_two_tables(tmp_path: Path) -> None:
    default = config_file(tmp_path, starter("default", "a.yaml")).experiment
    names = (default.activation.name, default.initializer.name, default.normalization.name)
    assert names == ("elu", "he_normal", "batch")
    selfish = config_file(tmp_path, starter("self-normalizing", "a.yaml")).experiment
    names = (selfish.activation.name, selfish.initializer.name, selfish.normalization.name)
    assert names == ("selu", "lecun_normal", "none")
    assert selfish.regularization.dropout is not None
    assert selfish.regularization.dropout.kind == "alpha"
