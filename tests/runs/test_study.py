from __future__ import annotations

from pathlib import Path

import pytest

from dnnlab.errors import RunError
from dnnlab.runs.study import StudyFolder, read_about


def create(runs: Path, name: str | None = None) -> StudyFolder:
    about = {"kind": "transfer", "arms": [1], "seeds": [42]}
    return StudyFolder.create(
        runs, name, "stem", command=["dnnlab"], source=b"data: digits\n", about=about
    )


def test_a_study_keeps_what_it_is_about_and_the_users_own_bytes(tmp_path: Path) -> None:
    study = create(tmp_path / "runs")
    assert study.path.name == "stem-0001"
    about = read_about(study.path)
    assert (about["schema"], about["kind"], about["command"]) == (1, "transfer", ["dnnlab"])
    assert (study.path / "config.source.yaml").read_bytes() == b"data: digits\n"
    assert study.runs.is_dir()
    study.close()
    assert create(tmp_path / "runs").path.name == "stem-0002"


def test_a_name_is_given_once(tmp_path: Path) -> None:
    create(tmp_path, "mine").close()
    with pytest.raises(RunError, match="'mine'"):
        create(tmp_path, "mine")


def test_only_one_process_writes_it(tmp_path: Path) -> None:
    study = create(tmp_path, "mine")
    with pytest.raises(RunError, match="in use"):
        StudyFolder.reopen(study.path)
    study.close()
    StudyFolder.reopen(study.path).close()


def test_what_a_kill_left_of_a_trainings_start_is_cleared_and_a_run_is_not(tmp_path: Path) -> None:
    study = create(tmp_path, "mine")
    for name in ("half", "whole"):
        (study.runs / name).mkdir()
        (study.runs / name / "config.yaml").write_text("x")
    (study.runs / "whole" / "run.json").write_text("{}")
    assert not study.member("half").exists()
    assert study.member("whole").exists()
    assert not study.member("new").exists()
    study.close()


def test_files_are_whole_and_may_lie_deeper(tmp_path: Path) -> None:
    study = create(tmp_path, "mine")
    assert study.write("plots/study.png", b"png").read_bytes() == b"png"
    study.write("plots/study.png", b"other")
    assert [path.name for path in (study.path / "plots").iterdir()] == ["study.png"]
    study.close()
