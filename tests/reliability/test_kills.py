"""kill -9 at random moments loses nothing that was called saved, and changes no bit."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.reliability.kills import kill_writers, train_through
from tests.reliability.test_crashes import TEXT
from tests.support import config_file, finished_run, session_of
from tests.test_resume import differences
from tests.variations import text_of

RICH = (
    "optimizer: {name: nadam, lr: 0.01}\nnormalization: batch\nschedule: one_cycle\n"
    "regularization: {dropout: 0.2, early_stopping: {patience: {updates: 400}}}"
)


def test_a_writer_is_killed_again_and_again(tmp_path: Path) -> None:
    state = session_of(TEXT, folder=tmp_path).state
    figures = kill_writers(tmp_path, state, 25, random.Random(1))
    assert figures.lost == 0
    assert figures.kills == 25
    assert figures.acknowledged > 25
    assert figures.repeated > 0  # it was really hit in the midst of something


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_training_is_hit_again_and_again(number: signal.Signals, tmp_path: Path) -> None:
    text = text_of(RICH, tmp_path).replace("updates: 14", "updates: 300")
    config = config_file(tmp_path, text)
    whole = finished_run(tmp_path, text, name="whole")
    path, hits = train_through(
        config,
        tmp_path / "runs",
        "cut",
        times=6,
        number=number,
        looks=40,
        chance=random.Random(2),
    )
    assert hits >= 4
    assert differences(whole, path) == []
