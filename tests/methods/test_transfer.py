"""Reusing layers: from a run, from a file; frozen to the bit, and resumed to the same bits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from dnnlab.config.read import Config
from dnnlab.errors import ConfigError, RunError
from dnnlab.methods.evaluate import evaluate_split
from dnnlab.methods.resume import Terms, resume
from dnnlab.methods.source import Source, load_source
from dnnlab.methods.train import Interrupted, Training, start
from dnnlab.methods.trained import load_trained
from dnnlab.methods.transfer import NothingInCommon, prepare
from dnnlab.methods.verify_resume import differences
from dnnlab.runs.records import read_json
from dnnlab.training import loop
from tests.support import config_file, finished_run

NET = """
architecture: {name: mlp, hidden: [12, 10]}
normalization: {name: batch, place: before_activation}
regularization: {dropout: {rate: 0.2, where: hidden}}
optimizer: {name: nadam, lr: 0.01}
"""
A = f"""
data: {{name: digits, classes: [0, 1, 2, 3, 4, 5]}}
{NET}
training: {{epochs: {{updates: 40}}, batch_size: 64, last_batch: drop, threads: 1}}
"""
B = f"""
data: {{name: digits, classes: [6, 7, 8], train_size: {{random: 90}}}}
{NET}
transfer:
  stages: [{{epochs: 2}}, {{epochs: 1, unfreeze: {{top: 1}}}}, {{unfreeze: all}}]
training: {{epochs: 6, batch_size: 32, threads: 1, checkpoint_every: {{updates: 4}}}}
"""
FROZEN = ("dense1", "norm1", "dense2", "norm2")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of task A."""
    return finished_run(tmp_path_factory.mktemp("a"), A)


def begin(config: Config, of: Source, name: str, runs: Path) -> Training:
    prepared = prepare(config, of)
    return start(
        prepared.config,
        runs=runs,
        name=name,
        command=[],
        data=prepared.data,
        heritage=prepared.heritage(),
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_reused_is_the_sources_and_frozen_for_as_long_as_was_said(
    source: Path, tmp_path: Path
) -> None:
    theirs = load_trained(source).state.copy_of_network()
    before = files_of(source)
    training = begin(config_file(tmp_path, B), load_source(source), "b", tmp_path / "runs")
    state = training.session.state
    seen: dict[int, set[str]] = {}

    def moved() -> set[str]:
        return {
            name.partition(".")[0]
            for name, each in state.network_tensors().items()
            if name.startswith(FROZEN) and not torch.equal(each, theirs[name])
        }

    assert moved() == set()
    for progress in training.carry_on():
        if progress.records:
            seen[progress.step] = moved()
    # Three updates an epoch: frozen for two epochs, then the second layer learns, then both.
    assert [seen[step] for step in (3, 6, 9)] == [set(), set(), {"dense2", "norm2"}]
    assert seen[12] == {"dense1", "norm1", "dense2", "norm2"}
    assert files_of(source) == before
    about = read_json(training.folder.path / "run.json")
    assert about["parent"]["run"] == str(source)
    assert about["parent"]["id"] == read_json(source / "run.json")["id"]
    table = read_json(training.folder.path / "transfer.json")
    assert [(row["layer"], row["fate"], row["frozen_until"]) for row in table["layers"]] == [
        ("dense1", "reused", 9),
        ("dense2", "reused", 6),
        ("output", "new", 0),
    ]
    assert (table["unused"], table["phases"]) == (["output"], [0, 6, 9])
    assert table["anew"] == [6, 9]


def test_a_frozen_layer_that_moves_is_a_bug_that_is_seen(source: Path, tmp_path: Path) -> None:
    training = begin(config_file(tmp_path, B), load_source(source), "b", tmp_path / "runs")
    state = training.session.state
    steps = training.carry_on()
    next(steps)
    with torch.no_grad():
        state.network.module.get_parameter("dense1.weight")[0, 0] += 1e-6
    with pytest.raises(AssertionError, match=r"dense1\.weight is frozen, and moved"):
        list(steps)


def test_new_layers_begin_as_they_would_from_scratch(source: Path, tmp_path: Path) -> None:
    """So that the two are compared seed by seed; and train of the same config reuses nothing."""
    config = config_file(tmp_path, B)
    reused = begin(config, load_source(source), "b", tmp_path / "runs").session
    scratch = start(config, runs=tmp_path / "runs", name="s", command=[]).session
    assert scratch.experiment.transfer is None
    assert scratch.phases == ()
    one, other = reused.state.network_tensors(), scratch.state.network_tensors()
    assert torch.equal(one["output.weight"], other["output.weight"])
    assert not torch.equal(one["dense1.weight"], other["dense1.weight"])


@pytest.mark.parametrize("stop", [0, 2, 5, 6, 7, 9, 13])
def test_stopped_anywhere_it_goes_on_with_the_same_bits(
    stop: int, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, at and after each unfreezing; the source may be gone by then."""
    monkeypatch.setattr(loop, "LOOK_EVERY", 0.0)
    runs, config = tmp_path / "runs", config_file(tmp_path, B)
    copy = shutil.copytree(source, tmp_path / "a")
    whole = begin(config, load_source(copy), "whole", runs)
    for _ in whole.carry_on():
        pass
    cut = begin(config, load_source(copy), "cut", runs)
    state = cut.session.state
    shutil.rmtree(copy)
    if stop:
        with pytest.raises(Interrupted):
            for _ in cut.carry_on(lambda: state.step >= stop):
                pass
    else:  # killed before its first checkpoint
        cut.folder.close()
    again = resume(cut.folder.path)
    for _ in again.carry_on():
        pass
    assert differences(whole.folder.path, again.folder.path) == []


def test_the_weights_a_run_began_with_are_verified(source: Path, tmp_path: Path) -> None:
    training = begin(config_file(tmp_path, B), load_source(source), "b", tmp_path / "runs")
    training.folder.close()
    file = training.folder.path / "reused.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunError, match=r"reused\.safetensors has changed"):
        resume(training.folder.path)
    file.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        resume(training.folder.path)


def test_what_is_reused_cannot_change_and_stages_only_if_one_wants(
    source: Path, tmp_path: Path
) -> None:
    training = begin(config_file(tmp_path, B), load_source(source), "b", tmp_path / "runs")
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: True):
            pass
    run = training.folder.path
    for option in ("transfer.reuse=1", "transfer=null", "transfer.scaling=own"):
        with pytest.raises(ConfigError):
            resume(run, Terms([option], accept_changes=True))
    stages = "transfer.stages=[{epochs: 1}, {unfreeze: all}]"
    with pytest.raises(ConfigError):
        resume(run, Terms([stages]))
    resumed = resume(run, Terms([stages], accept_changes=True))
    assert [phase.start for phase in resumed.session.phases] == [0, 3]
    resumed.folder.close()


def test_what_is_frozen_anew_is_so_from_where_the_stages_changed(
    source: Path, tmp_path: Path
) -> None:
    """Layers that have learned for a while, and are to stand still from then on."""
    text = B.replace("{epochs: 2}, {epochs: 1, unfreeze: {top: 1}}, ", "")
    training = begin(config_file(tmp_path, text), load_source(source), "b", tmp_path / "runs")
    for _ in training.carry_on():
        pass
    options = ["transfer.stages=[{unfreeze: none}]", "training.epochs=9"]
    resumed = resume(training.folder.path, Terms(options, accept_changes=True))
    before = resumed.session.state.copy_of_network()
    for _ in resumed.carry_on():
        pass
    after = resumed.session.state.network_tensors()
    assert torch.equal(after["dense1.weight"], before["dense1.weight"])
    assert not torch.equal(after["output.weight"], before["output.weight"])


def test_a_finished_transfer_can_be_asked_like_any_run(source: Path, tmp_path: Path) -> None:
    training = begin(config_file(tmp_path, B), load_source(source), "b", tmp_path / "runs")
    for _ in training.carry_on():
        pass
    trained = load_trained(training.folder.path)
    assert same(trained.state.copy_of_network(), training.session.state.copy_of_network())
    again = load_source(training.folder.path)
    assert again.offer.layers is None


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


def test_inputs_are_scaled_as_those_that_the_weights_were_learned_from(
    source: Path, tmp_path: Path
) -> None:
    """So too when the run is asked, or gone on with; unless one wants statistics of their own."""
    of = load_source(source)
    theirs = read_json(source / "data.json")["scaling"]
    training = begin(config_file(tmp_path, B), of, "b", tmp_path / "runs")
    seen = training.session.data.train.inputs
    assert read_json(training.folder.path / "data.json")["scaling"] == theirs
    with pytest.raises(Interrupted):
        for _ in training.carry_on(lambda: True):
            pass
    resumed = resume(training.folder.path)
    assert torch.equal(resumed.session.data.train.inputs, seen)
    for _ in resumed.carry_on():
        pass
    run = training.folder.path
    measured = evaluate_split(load_trained(run), "test")["metrics"]
    assert measured == read_json(run / "result.json")["metrics"]["test"]
    own = begin(config_file(tmp_path, B, "transfer.scaling=own"), of, "own", tmp_path / "runs")
    assert read_json(own.folder.path / "data.json")["scaling"] != theirs
    assert own.session.data.train.inputs.mean() == pytest.approx(0, abs=1e-6)
    assert seen.mean() != pytest.approx(0, abs=1e-3)
    own.folder.close()


def test_a_file_of_weights_is_a_source(source: Path, tmp_path: Path) -> None:
    theirs = load_trained(source).state.copy_of_network()
    file = tmp_path / "net.safetensors"
    safetensors.torch.save_file(theirs, file)
    training = begin(config_file(tmp_path, B), load_source(file), "b", tmp_path / "runs")
    assert torch.equal(training.session.state.given["dense2.weight"], theirs["dense2.weight"])
    assert read_json(training.folder.path / "run.json")["parent"]["file"] == str(file)
    file.write_bytes(b"no tensors")
    with pytest.raises(RunError, match="holds no tensors"):
        load_source(file)
    with pytest.raises(RunError, match="there is no file"):
        load_source(tmp_path / "nowhere.safetensors")
    with pytest.raises(ConfigError, match="--checkpoint 3"):
        load_source(file, "3")


@pytest.mark.parametrize(
    ("dtype", "value", "words"),
    [
        (torch.float32, float("nan"), "dense1.weight of .* is not finite in float32"),
        (torch.float64, 1e300, "dense1.weight of .* is not finite in float32"),
        (torch.int64, 3, "no layer of .* can be reused"),
        (torch.bool, 1, "no layer of .* can be reused"),
        (torch.complex64, 1j, "no layer of .* can be reused"),
    ],
)
def test_numbers_that_are_no_weights_are_refused(
    dtype: torch.dtype, value: complex, words: str, source: Path, tmp_path: Path
) -> None:
    theirs = load_trained(source).state.copy_of_network()
    file = tmp_path / "net.safetensors"
    changed = {name: torch.full(each.shape, value, dtype=dtype) for name, each in theirs.items()}
    safetensors.torch.save_file(changed, file)
    with pytest.raises(RunError, match=words):
        prepare(config_file(tmp_path, B), load_source(file))


def test_columns_of_other_tables_are_not_reused_by_their_place(tmp_path: Path) -> None:
    rows = "\n".join(f"{i % 7},{i % 5},{i % 3}" for i in range(90))
    for name, head in (("one", "age,price,y"), ("two", "rooms,weight,y"), ("same", "age,price,y")):
        (tmp_path / f"{name}.csv").write_text(f"{head}\n{rows}\n")

    def config(name: str, more: str = "") -> Config:
        text = f"""
data: {{name: csv, path: {name}.csv, target: y, task: classification}}
architecture: {{name: mlp, hidden: [4, 3]}}
training: {{epochs: {{updates: 3}}, batch_size: 20, threads: 1}}
{more}
"""
        return config_file(tmp_path, text, name=name)

    training = start(config("one"), runs=tmp_path / "runs", name="one", command=[])
    for _ in training.carry_on():
        pass
    of = load_source(training.folder.path)
    assert prepare(config("same"), of).reused.layers == ("dense1", "dense2")
    with pytest.raises(RunError, match="column 1 of the inputs is 'age' .* 'rooms'"):
        prepare(config("two"), of)
    above = "transfer: {reuse: {layers: [dense2]}, scaling: own}"
    assert prepare(config("two", above), of).reused.layers == ("dense2",)


def test_nets_with_nothing_in_common_are_refused_with_the_table(
    source: Path, tmp_path: Path
) -> None:
    config = config_file(tmp_path, B.replace("[12, 10]", "[13, 11]"))
    with pytest.raises(NothingInCommon, match="no layer of .* can be reused") as caught:
        prepare(config, load_source(source))
    assert caught.value.exit_code == 4
    rows = caught.value.table.rows
    assert [row.fate for row in rows] == ["skipped", "skipped", "new"]
    assert rows[0].reason == "dense1.weight is 12 x 64 there, 13 x 64 here"


def problem_of(config: Config, of: Source) -> str:
    with pytest.raises(ConfigError) as caught:
        prepare(config, of)
    (problem,) = caught.value.problems
    return f"{problem.place} {problem.message}"


def test_layers_that_do_not_exist_are_named_with_their_line(source: Path, tmp_path: Path) -> None:
    text = B.replace("unfreeze: {top: 1}", "unfreeze: {layers: [dense3]}")
    found = problem_of(config_file(tmp_path, text), load_source(source))
    assert found.startswith("10:")
    assert "no layer is called 'dense3'; did you mean dense" in found
    text = B.replace("transfer:", "transfer:\n  reuse: {layers: [dense1, outptu]}")
    found = problem_of(config_file(tmp_path, text), load_source(source))
    assert "no layer is called 'outptu'; did you mean output?" in found
    text = B.replace("transfer:", "transfer:\n  reuse: {layers: ['*']}")
    text = text.replace("[6, 7, 8]", "[6, 7, 8, 9, 1, 2]")
    found = problem_of(config_file(tmp_path, text), load_source(source))
    assert "every layer is reused and frozen from update 0 on: none learns" in found


def test_what_ends_too_early_to_unfreeze_is_said(source: Path, tmp_path: Path) -> None:
    config = config_file(tmp_path, B, "training.epochs=3")
    (note,) = prepare(config, load_source(source)).notes
    assert note.startswith("frozen to the end: dense1; the 9 updates of the training are over")


@pytest.fixture
def images(tmp_path: Path) -> Callable[[str, tuple[int, ...]], str]:
    """Writes images of three classes in an .npz file, and returns a config for them."""
    import numpy as np

    def write(name: str, shape: tuple[int, ...]) -> str:
        random = np.random.default_rng(0)
        classes = np.arange(120) % 3
        axes = (slice(None), *(None for _ in shape))
        inputs = random.normal(size=(120, *shape)) + classes[axes]
        np.savez(tmp_path / f"{name}.npz", inputs=inputs.astype("float32"), targets=classes)
        return f"""
data: {{name: npz, path: {name}.npz, task: classification, standardize: per_channel}}
architecture: {{name: cnn, convolutions: [{{filters: 4, pool: 2}}], hidden: [6]}}
training: {{epochs: 1, batch_size: 20, threads: 1}}
"""

    return write


def test_other_sizes_and_channels_are_an_error_unless_one_says_what_to_do(
    images: Callable[[str, tuple[int, ...]], str], tmp_path: Path
) -> None:
    of = load_source(finished_run(tmp_path, images("small", (3, 8, 8))))
    text = images("large", (12, 12))
    config = config_file(tmp_path, text, name="large")
    with pytest.raises(RunError, match="inputs of 3 x 8 x 8, these are 12 x 12") as caught:
        prepare(config, of)
    assert "resize" in caught.value.remedy

    adapting = config_file(tmp_path, text + "transfer: {inputs: adapt}\n", name="large")
    rows = prepare(adapting, of).table.rows
    assert [row.fate for row in rows] == ["adapted", "skipped", "new"]
    assert rows[1].reason == "dense2.weight is 6 x 64 there, 6 x 144 here"

    resizing = config_file(tmp_path, text + "transfer: {inputs: resize}\n", name="large")
    training = begin(resizing, of, "resized", tmp_path / "runs")
    assert training.session.experiment.transfer is not None
    assert training.session.experiment.transfer.resize_to == (3, 8, 8)
    table = read_json(training.folder.path / "transfer.json")
    assert [row["fate"] for row in table["layers"]] == ["reused", "reused", "new"]
    for _ in training.carry_on():
        pass
    asked = load_trained(training.folder.path)  # new images are made alike
    assert asked.signature.input_shape == (12, 12)
    assert asked.state.network.module(torch.zeros(2, 12, 12)).shape == (2, 3)


def test_the_table_is_json(source: Path, tmp_path: Path) -> None:
    table = prepare(config_file(tmp_path, B), load_source(source)).table
    assert json.loads(json.dumps(table.to_json()))["total_updates"] == 18
