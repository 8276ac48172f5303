"""What every test leaves as it found it: settings of the whole process that a training changes, and
the data home of the user.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dnnlab.choices.datasets.downloads import data_home


@pytest.fixture(autouse=True)
def _process_settings() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)  # hypothesis makes denormal numbers


@pytest.fixture(scope="session")
def _home_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data home in which the user's files are found, and nothing of theirs is written."""
    home = tmp_path_factory.mktemp("home")
    users = data_home()
    for entry in users.iterdir() if users.is_dir() else ():
        if entry.name != "examined":
            (home / entry.name).symlink_to(entry.absolute())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DNNLAB_DATA", str(home))
        yield home


@pytest.fixture(autouse=True)
def _nothing_was_examined_before(_home_of_the_tests: Path) -> None:
    shutil.rmtree(_home_of_the_tests / "examined", ignore_errors=True)
