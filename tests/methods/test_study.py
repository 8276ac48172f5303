"""A study goes on where it was cut, to the same bits, and says what its trainings say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from dnnlab.config.read import Config
from dnnlab.errors import ConfigError, RunError
from dnnlab.kernels.statistics import estimate
from dnnlab.methods.arms import Arm, arms_of_depths, arms_of_transfer
from dnnlab.methods.source import Origin, find_source, load_source, run_of, training_of
from dnnlab.methods.study import Study, begin, reopen
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.methods.transfer import prepare
from dnnlab.methods.verify_resume import differences
from dnnlab.runs.names import unfinished_study
from dnnlab.runs.records import read_json
from dnnlab.training import loop
from dnnlab.training.loop import Progress
from tests.support import config_file, finished_run

A = """
data: {name: digits, classes: [0, 1, 2, 3, 4, 5]}
architecture: {name: mlp, hidden: [12, 10]}
training: {epochs: {updates: 20}, batch_size: 64, threads: 1}
"""
B = """
data: {name: digits, classes: [6, 7, 8], train_size: {random: 90}}
architecture: {name: mlp, hidden: [12, 10]}
transfer: {stages: [{epochs: 1}, {unfreeze: all}]}
training: {epochs: 2, batch_size: 30, threads: 1}
"""


def follow(name: str, training: Training, steps: Iterator[Progress]) -> None:
    for _ in steps:
        pass


def configs(folder: Path) -> tuple[Config, Config]:
    return config_file(folder, A, name="a"), config_file(folder, B, name="b")


def compared(folder: Path, runs: str, seeds: int = 2) -> Study:
    a, b = configs(folder)
    arms = arms_of_transfer(b.experiment, scratch=True)
    origin = Origin.of(a, "kept")
    return begin(
        b, "transfer", origin, arms, seeds=seeds, runs=folder / runs, name="study", command=["x"]
    )


def result_of(path: Path) -> dict[str, Any]:
    """Returns a study's result, without where it lies."""
    result = read_json(path / "result.json")
    return {key: value for key, value in result.items() if key not in ("study", "source")}


def test_the_source_is_trained_first_and_then_every_arm_with_every_seed(tmp_path: Path) -> None:
    seen: list[str] = []

    def note(name: str, training: Training, steps: Iterator[Progress]) -> None:
        seen.append(name)
        follow(name, training, steps)

    study = compared(tmp_path, "runs")
    result = study.carry_on(note, picture=lambda found: repr(found["kind"]).encode())
    assert seen == [
        "a, the source",
        "transfer-seed-42",
        "scratch-seed-42",
        "transfer-seed-43",
        "scratch-seed-43",
    ]
    path = tmp_path / "runs" / "study"
    assert (path / "plots" / "study.png").read_bytes() == b"'transfer'"
    assert read_json(path / "result.json") == result
    assert result["source"] == str(tmp_path / "runs" / "a-digits-0001")
    for arm in result["arms"]:
        runs = [path / "runs" / f"{arm['name']}-seed-{seed}" for seed in (42, 43)]
        measured = [read_json(run / "result.json")["metrics"]["test"]["loss"] for run in runs]
        assert arm["metrics"]["loss"] == estimate(measured).to_json() | {
            "ci95": list(estimate(measured).ci95 or ()),
            "values": measured,
        }
        assert [read_json(run / "run.json")["seed"] for run in runs] == [42, 43]
        parents = [read_json(run / "run.json")["parent"] for run in runs]
        assert all((parent is None) is (arm["name"] == "scratch") for parent in parents)
    (pair,) = result["differences"]
    one, other = (arm["metrics"]["accuracy"]["values"] for arm in result["arms"])
    assert (pair["one"], pair["other"]) == ("transfer", "scratch")
    expected = [a - b for a, b in zip(one, other, strict=True)]
    assert pair["metrics"]["accuracy"]["values"] == pytest.approx(expected)
    errors = [1 - sum(values) / 2 for values in (other, one)]
    assert pair["error_ratio"]["errors"] == pytest.approx(errors)
    assert pair["error_ratio"]["ratio"] == pytest.approx(errors[0] / errors[1])
    with pytest.raises(RunError, match="is finished"):
        reopen(path)


@pytest.mark.parametrize("stop", [1, 9, 21, 24, 27, 28, 30])
def test_cut_anywhere_it_comes_to_the_same_bits(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the source, which has 20 updates, in the arms, which have 6, and between two trainings."""
    monkeypatch.setattr(loop, "LOOK_EVERY", 0.0)
    whole = compared(tmp_path, "whole")
    whole.carry_on(follow)
    looks = 0

    def asked() -> bool:
        nonlocal looks
        looks += 1
        return looks >= stop

    cut = compared(tmp_path, "cut")
    with pytest.raises(Interrupted):
        cut.carry_on(follow, asked)
    reopen(cut.folder.path).carry_on(follow)
    one, other = whole.folder.path, cut.folder.path
    assert result_of(one) == result_of(other)
    names = sorted(path.name for path in (one / "runs").iterdir())
    assert names == sorted(path.name for path in (other / "runs").iterdir())
    for name in names:
        assert differences(one / "runs" / name, other / "runs" / name) == []


def test_a_training_that_was_killed_while_it_began_is_begun_again(tmp_path: Path) -> None:
    study = compared(tmp_path, "runs", seeds=1)
    study.folder.close()
    half = study.folder.runs / "transfer-seed-42"
    half.mkdir()
    (half / "config.yaml").write_text("half")
    reopen(study.folder.path).carry_on(follow)
    assert (half / "result.json").exists()


def test_a_study_goes_on_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = finished_run(Path(), A, name="a")
    _, b = configs(Path())
    arms = arms_of_transfer(b.experiment, scratch=False)
    study = begin(
        b,
        "transfer",
        Origin.of(source, "kept"),
        arms,
        seeds=1,
        runs=Path("runs"),
        name="s",
        command=[],
    )
    study.folder.close()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(reopen(tmp_path / "runs" / "s").carry_on(follow)["arms"]) == 1


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    study = compared(tmp_path, "runs")
    with pytest.raises(RunError, match="in use"):
        reopen(study.folder.path)
    study.folder.close()


def test_a_study_that_somebody_changed_is_refused(tmp_path: Path) -> None:
    study = compared(tmp_path, "runs")
    study.folder.close()
    file = study.folder.path / "study.json"
    text = file.read_text()
    for old, new, words in (
        ('"kind": "transfer"', '"kind": "other"', "not as dnnlab wrote it"),
        ('"hidden"', '"hiden"', "does not know"),
        ('"schema": 1', '"schema": 9', "has schema 9"),
        ('"arms"', '"armes"', "not as dnnlab wrote it"),
    ):
        assert old in text
        file.write_text(text.replace(old, new))
        with pytest.raises(RunError, match=words):
            reopen(study.folder.path)


def test_depths_are_counted_from_none_to_all_layers(tmp_path: Path) -> None:
    experiment = configs(tmp_path)[1].experiment
    arms = arms_of_depths(experiment, "all", 3)
    assert [(arm.name, arm.transferred, arm.x) for arm in arms] == [
        ("scratch", False, 0),
        ("first-1", True, 1),
        ("first-2", True, 2),
    ]
    transfers = [arm.experiment.transfer for arm in arms]
    assert transfers[0] is None
    assert [each.reuse.first for each in transfers[1:] if each] == [1, 2]
    assert [each.stages for each in transfers[1:] if each] == [experiment.transfer.stages] * 2  # type: ignore[union-attr]
    assert [arm.x for arm in arms_of_depths(experiment, "2,0", 3)] == [0, 2]
    assert [arm.x for arm in arms_of_depths(experiment, "2", 3)] == [2]
    assert [arm.x for arm in arms_of_depths(experiment, "2", 3, scratch=True)] == [0, 2]
    for word in ("3", "-1", "some", "", "1,,2"):
        with pytest.raises(ConfigError, match="numbers from 0 to 2"):
            arms_of_depths(experiment, word, 3)


def test_a_configs_finished_run_is_found_by_what_it_says(tmp_path: Path) -> None:
    a, _ = configs(tmp_path)
    runs = tmp_path / "runs"
    assert run_of(a, runs) == (None, False)
    done = finished_run(tmp_path, A, name="done")
    again = config_file(tmp_path, A + "# only a remark\n", name="other")
    assert run_of(again, runs) == (done, True)
    differing = config_file(tmp_path, A, "training.seed=7", name="other")
    assert run_of(differing, runs) == (None, False)
    # A run that was changed since is another one.
    settings = done / "settings.json"
    settings.write_text(settings.read_text().replace('"seed": 42', '"seed": 43'))
    assert run_of(a, runs) == (None, False)


def test_a_run_that_was_begun_is_gone_on_with(tmp_path: Path) -> None:
    a, _ = configs(tmp_path)
    runs = tmp_path / "runs"
    first = finished_run(tmp_path, A, name="begun")
    whole = shutil.copytree(first, tmp_path / "whole")
    (first / "result.json").unlink()
    assert run_of(a, runs) == (first, False)
    found = training_of(a, runs=runs, command=[], at_folder=lambda: None)
    assert isinstance(found, Training)
    follow("", found, found.carry_on())
    assert differences(first, whole) == []


def test_a_word_is_a_file_a_config_or_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished_run(tmp_path, A, name="done")
    config_file(tmp_path, A, name="a")
    assert find_source("net.safetensors", Path("runs")) == Path("net.safetensors")
    assert isinstance(find_source("a.yaml", Path("runs")), Config)
    assert find_source("done", Path("runs")) == Path("runs/done")
    with pytest.raises(ConfigError, match="there is no file b.yaml"):
        find_source("b.yaml", Path("runs"))
    with pytest.raises(RunError, match="there is no run 'b'"):
        find_source("b", Path("runs"))


def test_a_run_that_reuses_layers_is_no_run_of_its_config_alone(tmp_path: Path) -> None:
    """And one of a config with a transfer section is, if it was trained from scratch."""
    _, b = configs(tmp_path)
    runs = tmp_path / "runs"
    of = load_source(finished_run(tmp_path, A, name="a"))
    prepared = prepare(b, of)
    inherits = start(
        prepared.config, runs=runs, name="heir", command=[], heritage=prepared.heritage()
    )
    follow("", inherits, inherits.carry_on())
    assert run_of(b, runs) == (None, False)
    scratch = start(b, runs=runs, name="alone", command=[])
    follow("", scratch, scratch.carry_on())
    assert run_of(b, runs) == (runs / "alone", True)


def study_of(subject: Config, origin: Origin, arms: tuple[Arm, ...], runs: Path) -> Study:
    return begin(subject, "transfer", origin, arms, seeds=2, runs=runs, name="s", command=[])


def test_a_source_that_has_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    source = finished_run(tmp_path, A, name="a")
    _, b = configs(tmp_path)
    arms = arms_of_transfer(b.experiment, scratch=False)
    file = tmp_path / "net.safetensors"
    weights = load_source(source).offer.tensors
    save_file(dict(weights), file)
    study = study_of(b, Origin.of(file, "kept"), arms, tmp_path / "r")
    path = study.folder.path
    study.carry_on(follow)
    (path / "result.json").unlink()
    shutil.rmtree(path / "runs" / "transfer-seed-43")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, file)
    with pytest.raises(RunError, match="has other weights than when"):
        reopen(path).carry_on(follow)
    save_file(dict(weights), file)
    reopen(path).carry_on(follow)
    # With all trainings done nothing is asked of the source any more.
    (path / "result.json").unlink()
    file.unlink()
    assert reopen(path).carry_on(follow)["source"] == str(file)


def test_a_training_that_diverges_does_not_end_the_study(tmp_path: Path) -> None:
    a, b = configs(tmp_path)
    steep = config_file(tmp_path, B, "optimizer.lr=1e25", name="steep").experiment
    scratch = arms_of_transfer(b.experiment, scratch=True)[1]
    arms = (Arm("transfer", steep, transferred=True), scratch)
    result = study_of(b, Origin.of(a, "kept"), arms, tmp_path / "r").carry_on(follow)
    one, other = result["arms"]
    assert (one["diverged"], one["metrics"]) == ([42, 43], {})
    assert other["diverged"] == []
    assert len(other["metrics"]["accuracy"]["values"]) == 2
    assert result["differences"] == []


def test_a_metric_that_one_training_lacks_is_left_out_by_name(tmp_path: Path) -> None:
    study = compared(tmp_path, "runs")
    study.carry_on(follow)
    path = study.folder.path
    (path / "result.json").unlink()
    lacking = path / "runs" / "scratch-seed-43" / "result.json"
    measured = read_json(lacking)
    measured["metrics"]["test"]["loss"] = None
    lacking.write_text(json.dumps(measured))
    result = reopen(path).carry_on(follow)
    assert [*result["arms"][0]["metrics"]] == ["accuracy"]
    assert result["left_out"] == {"loss": [measured["run"]]}


def test_seeds_end_where_whole_numbers_do(tmp_path: Path) -> None:
    _, b = configs(tmp_path)
    late = config_file(tmp_path, B, f"training.seed={2**63 - 1}", name="late")
    arms = arms_of_transfer(late.experiment, scratch=False)
    with pytest.raises(ConfigError, match="too near to"):
        study_of(late, Origin.of(b, "kept"), arms, tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_a_config_has_no_checkpoints_but_the_kept_the_last_and_the_best(tmp_path: Path) -> None:
    a, _ = configs(tmp_path)
    assert Origin.of(a, "best").which == "best"
    with pytest.raises(ConfigError, match="kept, best or last"):
        Origin.of(a, "12345")
    blind = config_file(tmp_path, A, "data.validation=null", name="blind")
    with pytest.raises(ConfigError, match="nothing is held out"):
        Origin.of(blind, "best")


def test_a_study_is_found_although_its_source_is_newer(tmp_path: Path) -> None:
    """A study's source is newer than the study."""
    study = compared(tmp_path, "runs", seeds=1)
    runs = study.folder.path.parent
    with pytest.raises(Interrupted):
        study.carry_on(follow, lambda: (study.folder.path / "source.json").exists())
    assert (runs / "a-digits-0001" / "result.json").exists()
    assert unfinished_study(runs) == study.folder.path
    reopen(study.folder.path).carry_on(follow)
    assert unfinished_study(runs) is None
