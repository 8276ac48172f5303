from __future__ import annotations

import json
from pathlib import Path

import pytest

from dnnlab.choices.datasets.downloads import data_home
from dnnlab.errors import ConfigError, DataError, MachineError
from dnnlab.methods.session import assemble
from tests.support import DIGITS, config_file, made_up_data


def test_what_the_machine_decides_is_in_the_experiment_then(tmp_path: Path) -> None:
    text = DIGITS.replace(", threads: 1", "")
    session = assemble(config_file(tmp_path, text))
    training = session.experiment.training
    assert training.device == str(session.machine.device) != "auto"
    assert training.threads == session.machine.threads == 1


def test_the_parts_belong_together(tmp_path: Path) -> None:
    session = assemble(config_file(tmp_path))
    before = session.state.weights.clone()
    session.engine.advance(2)
    assert session.state.step == 2
    assert not session.state.weights.equal(before)
    assert session.plan.num_train == len(session.data.train)


def test_settings_that_the_size_of_the_data_excludes_are_refused_with_their_line(
    tmp_path: Path,
) -> None:
    text = "data: digits\narchitecture: {name: mlp, hidden: [4]}\ntraining: {batch_size: 51}\n"
    with pytest.raises(ConfigError) as caught:
        assemble(config_file(tmp_path, text), made_up_data(num_train=50))
    (problem,) = caught.value.problems
    assert problem.place == "3:24"
    assert problem.message == "training.batch_size: 51 is more than the 50 training examples"


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="training.device: cuda:15"):
        assemble(config_file(tmp_path, DIGITS, "training.device=cuda:15"))


def test_data_that_are_not_there_are_refused(tmp_path: Path) -> None:
    text = (
        "data: {name: csv, path: no.csv, target: y, task: regression}\n"
        "architecture: {name: mlp, hidden: [4]}\n"
    )
    with pytest.raises(DataError, match="no.csv"):
        assemble(config_file(tmp_path, text))


def test_the_data_are_examined_and_what_was_found_goes_with_them(tmp_path: Path) -> None:
    rows = "".join(f"5,{i * i % 97},{i % 7}\n" for i in range(60))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}")
    text = (
        "data: {name: csv, path: t.csv, target: y, task: regression}\n"
        "architecture: {name: mlp, hidden: [4]}\n"
    )
    (found,) = assemble(config_file(tmp_path, text)).data.to_json()["findings"]
    assert "one and the same value in 'a'" in found
    (kept,) = (data_home() / "examined").iterdir()
    assert json.loads(kept.read_text())["findings"] == [found]
