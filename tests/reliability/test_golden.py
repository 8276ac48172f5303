"""Runs of every schema that was ever released can be opened, and come to what they would have."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnnlab.config.write import settings
from dnnlab.errors import ConfigError, DnnlabError, RunError
from dnnlab.methods.changes import recorded
from dnnlab.methods.evaluate import evaluate_split
from dnnlab.methods.predict import predict_split
from dnnlab.methods.resume import resume
from dnnlab.methods.trained import load_trained
from dnnlab.runs import checkpoints
from dnnlab.runs.folder import SCHEMA
from dnnlab.runs.listing import list_runs
from dnnlab.runs.records import measurements, read_json
from dnnlab.spec import Spec
from dnnlab.training.state import State, Tally
from tests.reliability import make_golden
from tests.reliability.make_golden import GOLDEN, PREDICTIONS
from tests.reliability.opening import changed, newest, quick, shelf

__all__ = ["quick", "shelf"]

SCHEMAS = [f"schema-{number}" for number in range(1, SCHEMA + 1)]
NAMES = ["finished", "interrupted", "killed"]
ROUNDING = 1e-5
"""What sums of float32 in another order change in loss and probabilities of a net of this size."""
TRAINED_ROUNDING = 1e-3
"""The same after some twenty updates, each of which begins where the one before has ended."""
OTHER_MASKS = 0.15
"""On another kind of processor torch draws other dropout masks. Five others have changed the loss
by 0.03 to 0.05."""
LARGEST = 200_000
"""Bytes of all golden runs of a schema."""


@pytest.fixture(params=SCHEMAS)
def golden(request: pytest.FixtureRequest, shelf: Path) -> Path:
    """A copy of the golden runs of a schema."""
    folder = shelf / str(request.param)
    shutil.copytree(GOLDEN / request.param, folder)
    return folder


def tolerance(run: Path) -> float:
    before = str(read_json(run / "environment.json")["platform"])
    return TRAINED_ROUNDING if platform.machine() in before else OTHER_MASKS


def finish(run: Path) -> list[str]:
    training = resume(run)
    for _ in training.carry_on():
        pass
    return training.notes


def refusal(kind: type[DnnlabError], run: Path) -> DnnlabError:
    """Returns the error with which a run is refused, however it is opened."""
    with pytest.raises(kind):
        load_trained(run)
    with pytest.raises(kind) as caught:
        resume(run)
    return caught.value


def differs(left: dict[str, Any], right: dict[str, Any]) -> float:
    """Returns the largest difference of two results' losses, on any split."""
    return max(
        abs(float(left[split]["loss"]) - float(right[split]["loss"]))
        for split in ("train", "validation", "test")
    )


# --- what they are ------------------------------------------------------------------------------


def test_there_are_golden_runs_of_every_schema() -> None:
    assert sorted(path.name for path in GOLDEN.glob("schema-*")) == SCHEMAS
    for schema in SCHEMAS:
        files = [path for path in (GOLDEN / schema).rglob("*") if path.is_file()]
        assert sum(path.stat().st_size for path in files) < LARGEST


def test_the_script_that_made_them_makes_such_runs_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_golden.make(tmp_path)
    newest_ones = GOLDEN / SCHEMAS[-1]
    made, kept = (
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
        for folder in (tmp_path, newest_ones)
    )
    assert made == kept
    with pytest.raises(SystemExit, match="schema-1 is there"):
        make_golden.main()


def test_their_states_have_something_in_every_part() -> None:
    state = read_json(newest(GOLDEN / SCHEMAS[-1] / "interrupted") / "state.json")["state"]
    fresh = {"plateau": {"factor": 1.0}, "best": None}
    for key, value in {**state, **state["plateau"], **state["tally"]}.items():
        if key not in ("loss_scale", "skipped", "rollbacks", "lr_factor", "ended"):
            assert value not in (0, 0.0, None, fresh.get(key)), key


# --- that they open -----------------------------------------------------------------------------


def test_they_are_listed(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = read_json(golden / "expected.json")
    assert list_runs(golden)[2]["state"] == "running", "as far as one can know on another machine"
    monkeypatch.setattr(platform, "node", lambda: "golden")
    found = list_runs(golden)
    assert [entry["run"] for entry in found] == NAMES, "the oldest first"
    for entry in found:
        assert {key: entry[key] for key in ("state", "step")} == expected[entry["run"]]["listed"]
    result = read_json(golden / "finished" / "result.json")
    assert (found[0]["test"], found[0]["best"]) == (result["metrics"]["test"], result["best"])


@pytest.mark.parametrize("name", NAMES)
def test_they_are_evaluated_and_predicted_from(name: str, golden: Path) -> None:
    expected = read_json(golden / "expected.json")[name]
    before = sorted((path, path.stat().st_mtime_ns) for path in golden.rglob("*"))
    trained = load_trained(golden / name)
    assert trained.step == expected["step"]
    damaged = ["the checkpoint of update 24 is damaged"] if name == "killed" else []
    assert [note[:38] for note in trained.notes] == damaged
    measured = evaluate_split(trained, "test")["metrics"]
    assert measured == pytest.approx(expected["metrics"], abs=ROUNDING)
    found = predict_split(trained, "test").outputs[:PREDICTIONS]
    np.testing.assert_allclose(found, expected["probabilities"], atol=ROUNDING)
    best = load_trained(golden / name, which="best")
    assert best.state.best is not None
    loss = evaluate_split(best, "validation")["metrics"]["loss"]
    assert loss == pytest.approx(best.state.best.value, abs=ROUNDING)
    assert sorted((path, path.stat().st_mtime_ns) for path in golden.rglob("*")) == before


@pytest.mark.parametrize("name", ["interrupted", "killed"])
def test_they_go_on_to_what_an_uninterrupted_run_came_to(name: str, golden: Path) -> None:
    whole = read_json(golden / "finished" / "result.json")
    notes = finish(golden / name)
    if name == "killed":
        assert notes[0].startswith("the checkpoint of update 24 is damaged (")
        assert notes[0].endswith("that of update 16 is used")
        assert any("it had come to update 30; the 14 after" in note for note in notes)
        assert list((golden / name / "checkpoints").glob(".*")) == []
    result = read_json(golden / name / "result.json")
    assert (result["updates"], result["ended"]) == (whole["updates"], whole["ended"])
    assert differs(result["metrics"], whole["metrics"]) < tolerance(golden / name)
    keys = ("step", "epoch", "split")
    rows, known = (
        [[row[key] for key in keys] for row in measurements(golden / run)]
        for run in (name, "finished")
    )
    assert rows == known


def test_a_finished_one_goes_on_when_it_is_told_to(golden: Path) -> None:
    with pytest.raises(RunError, match="is finished"):
        resume(golden / "finished")
    config = golden / "finished" / "config.yaml"
    text = config.read_text()
    assert "updates: 40" in text
    config.write_text(text.replace("updates: 40", "updates: 44"))
    notes = finish(golden / "finished")
    assert "training.epochs.updates: 40 -> 44" in notes
    assert read_json(golden / "finished" / "result.json")["updates"] == 44


def forget_velocity(state: State) -> None:
    state.slots["velocity"].zero_()


def forget_weights(state: State) -> None:
    state.begin(1)


def forget_the_rate(state: State) -> None:
    state.plateau = type(state.plateau)()


@pytest.mark.parametrize("harm", [forget_velocity, forget_weights, forget_the_rate])
def test_the_tolerance_would_show_a_state_that_was_lost(harm: Any, golden: Path) -> None:
    """The negative controls."""
    training = resume(golden / "interrupted")
    harm(training.session.state)
    for _ in training.carry_on():
        pass
    whole, found = (
        read_json(golden / name / "result.json")["metrics"] for name in ("finished", "interrupted")
    )
    assert differs(whole, found) > 2 * TRAINED_ROUNDING


def test_a_tally_is_taken_over(golden: Path) -> None:
    training = resume(golden / "interrupted")
    tally = training.session.state.tally
    training.folder.close()
    assert tally.updates == 3
    assert tally != Tally()
    assert bool(torch.isfinite(training.session.state.weights).all())


# --- what was added later -------------------------------------------------------------------------


def test_a_run_that_kept_no_settings_is_opened_by_its_config(golden: Path) -> None:
    """The first runs had only config.yaml and a digest of it."""
    run = golden / "interrupted"
    (run / "settings.json").unlink()
    assert load_trained(run).notes == ()
    whole = read_json(golden / "finished" / "result.json")
    notes = finish(run)
    assert [note for note in notes if not note.startswith("not bit-exact: ")] == []
    assert differs(read_json(run / "result.json")["metrics"], whole["metrics"]) < tolerance(run)


def test_if_its_config_has_changed_that_is_said(golden: Path) -> None:
    run = golden / "interrupted"
    (run / "settings.json").unlink()
    text = (run / "config.yaml").read_text()
    assert "lr: 0.05" in text
    (run / "config.yaml").write_text(text.replace("lr: 0.05", "lr: 0.5"))
    (note,) = load_trained(run).notes
    assert "config.yaml is not what the run began with" in note
    with pytest.raises(RunError, match=r"config\.yaml is not what the run began with"):
        resume(run)


def optional(spec: Spec, way: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Returns the way to every setting that has its default."""
    found = []
    for name, field in type(spec).model_fields.items():
        value = getattr(spec, name)
        if name != "name" and not field.is_required() and value == field.default:
            found.append((*way, name))
        elif isinstance(value, Spec):
            found += optional(value, (*way, name))
    return found


def test_a_setting_that_was_added_later_has_its_default(golden: Path) -> None:
    run = golden / "interrupted"
    now = recorded(run)
    assert now is not None
    ways = [way for way in optional(now) if leads_somewhere(settings(now), way)]
    assert len(ways) > 15
    saved = read_json(run / "settings.json")
    for way in ways:
        less: Any = json.loads(json.dumps(saved))
        inner = less["settings"]
        for key in way[:-1]:
            inner = inner[key]
        del inner[way[-1]]
        (run / "settings.json").write_text(json.dumps(less))
        assert recorded(run) == now, way


def leads_somewhere(value: Any, way: tuple[str, ...]) -> bool:
    for key in way:
        if key not in value:
            return False
        value = value[key]
    return True


@pytest.mark.parametrize("way", [("schedule", "charm"), ("charm",), ("training", "charm")])
def test_a_setting_of_a_later_dnnlab_is_refused_with_the_remedy(
    way: tuple[str, ...], golden: Path
) -> None:
    run = golden / "interrupted"
    saved = read_json(run / "settings.json")
    later = changed(saved, ("settings", *way), 3)
    (run / "settings.json").write_text(json.dumps(later))
    error = refusal(RunError, run)
    assert error.exit_code == 4
    assert "settings.json says what this dnnlab does not know" in error.message
    assert "charm" in error.message
    assert error.remedy == "use the dnnlab that wrote it"
    (run / "settings.json").write_text(json.dumps(saved))
    (run / "config.yaml").write_text(json.dumps(later["settings"]))
    assert "charm" in str(refusal(ConfigError, run).problems)  # type: ignore[attr-defined]


# --- what a later dnnlab wrote ------------------------------------------------------------------


def test_a_run_of_a_later_schema_is_refused_by_name(golden: Path) -> None:
    run = golden / "interrupted"
    about = read_json(run / "run.json")
    (run / "run.json").write_text(json.dumps({**about, "schema": SCHEMA + 1}))
    error = refusal(RunError, run)
    assert error.exit_code == 4
    assert error.message == f"{run} has schema {SCHEMA + 1}; this dnnlab reads {SCHEMA}"
    assert error.remedy == "use the dnnlab that wrote it"
    assert [entry["run"] for entry in list_runs(golden)] == NAMES


def test_a_checkpoint_of_a_later_schema_is_refused_and_left_as_it_is(golden: Path) -> None:
    """It is not damaged: to go on from an older one would undo what the later dnnlab has done."""
    run = golden / "interrupted"
    step = newest(run)
    manifest = read_json(step / "manifest.json")
    (step / "manifest.json").write_text(json.dumps({**manifest, "schema": SCHEMA + 1}))
    error = refusal(RunError, run)
    assert error.exit_code == 4
    assert error.message == f"{step} has schema {SCHEMA + 1}; this dnnlab reads {SCHEMA}"
    assert error.remedy == "use the dnnlab that wrote it"
    assert checkpoints.steps(run / "checkpoints") == [16, 21]
    assert read_json(step / "manifest.json")["schema"] == SCHEMA + 1
