from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dnnlab.choices.schedules import Schedule, Span
from dnnlab.config.read import read
from dnnlab.errors import ConfigError, DataError, RunError
from dnnlab.methods.lr_find import (
    Level,
    Range,
    RangeTest,
    Start,
    Verification,
    find,
    from_config,
    from_run,
    train_at,
    verify,
)
from dnnlab.methods.session import assemble
from dnnlab.methods.source import load_source
from dnnlab.methods.train import start
from dnnlab.methods.transfer import prepare
from dnnlab.spec import Duration
from tests.support import config_file, finished_run, same_tensors

NET = """
data: digits
architecture: {name: mlp, hidden: [24]}
regularization: {dropout: 0.2}
optimizer: {name: sgd, lr: 0.02, momentum: 0.9}
training: {epochs: {updates: 12}, batch_size: 16, evaluate_every: {updates: 5}, threads: 1}
"""
SHORT = RangeTest(updates=120, orders=2)


def start_of(folder: Path, text: str = NET, *options: str) -> Start:
    return from_config(config_file(folder, text, *options))


def losses_of(result: Range) -> list[list[float]]:
    return [order.losses.tolist() for order in result.orders]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_it_finds_a_rate_at_which_the_net_learns(tmp_path: Path) -> None:
    begin = start_of(tmp_path)
    found = find(begin, RangeTest(orders=2)).found
    assert found.constant is not None
    assert found.turning_point is not None
    first = find(begin, RangeTest(updates=50, orders=1)).orders[0].losses[:10].mean()
    good, _ = train_at(begin, found.constant, 300)
    bad, _ = train_at(begin, 10 * found.turning_point, 300)
    assert good < 0.5 * first
    assert math.isnan(bad) or bad > first


class Listed(Schedule):
    """Rates as a list has them."""

    name: str = "listed"
    shares: tuple[float, ...]

    def level(self, update: int, span: Span) -> float:
        return self.shares[update]


def test_its_losses_are_those_of_a_training_with_the_same_rates(tmp_path: Path) -> None:
    """Here the rates come from a list, and the updates are applied one at a time."""
    result = find(start_of(tmp_path), RangeTest(start=1e-4, end=1e-1, updates=60, orders=1))
    config = config_file(tmp_path, NET, "training.epochs={updates: 60}")
    shares = tuple(1e-4 * 1000 ** (update / 59) / 0.02 for update in range(60))
    listed = config.experiment.model_copy(update={"schedule": Listed(shares=shares)})
    session = assemble(config.with_experiment(listed))
    losses = [session.engine.advance(update + 1).losses[0] for update in range(60)]
    # Rates agree to the last digits of a float64, the weights to those of a float32.
    assert losses == pytest.approx(result.orders[0].losses.tolist(), rel=1e-4)


def test_it_leaves_no_trace_in_the_process(tmp_path: Path) -> None:
    def trained() -> tuple[list[float], dict[str, torch.Tensor]]:
        session = assemble(config_file(tmp_path, NET))
        losses = session.engine.advance(12).losses
        return losses, session.state.network_tensors()

    before = trained()
    torch.manual_seed(7)
    numpy_before = np.random.get_state()[1].tolist()  # type: ignore[index]
    find(start_of(tmp_path), SHORT)
    assert np.random.get_state()[1].tolist() == numpy_before  # type: ignore[index]
    after = trained()
    assert before[0] == after[0]
    assert same_tensors(before[1], after[1])


def test_a_training_that_is_under_way_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole = assemble(config_file(tmp_path, NET))
    expected = whole.engine.advance(12).losses
    broken = assemble(config_file(tmp_path, NET))
    losses = broken.engine.advance(5).losses
    find(start_of(tmp_path), SHORT)
    losses += broken.engine.advance(12).losses
    assert losses == expected
    assert same_tensors(whole.state.network_tensors(), broken.state.network_tensors())


def test_a_run_is_only_read(tmp_path: Path) -> None:
    run = finished_run(tmp_path, NET)
    before = contents(run)
    begin = from_run(run)
    find(begin, SHORT)
    verify(begin, 0.01, 20)
    assert contents(run) == before


def test_a_run_begins_with_its_newest_weights_and_their_memory(tmp_path: Path) -> None:
    run = finished_run(tmp_path, NET)
    begin = from_run(run)
    assert begin.step == 12
    session = assemble(config_file(tmp_path, NET))
    session.engine.advance(12)
    assert same_tensors(begin.tensors["network"], session.state.network_tensors())
    assert same_tensors(begin.tensors["optimizer"], session.state.slot_tensors())
    # The next batch, in the order of the run's own seed, with next to no rate.
    result = find(begin, RangeTest(start=1e-9, end=1e-8, updates=50, orders=1))
    longer = assemble(config_file(tmp_path, NET, "training.epochs={updates: 13}"))
    assert result.orders[0].losses[0] == longer.engine.advance(13).losses[12]


def test_a_run_is_tested_with_the_same_rates_as_a_config(tmp_path: Path) -> None:
    begin = from_run(finished_run(tmp_path, NET))
    result = find(begin, RangeTest(start=1e-4, end=1e-1, updates=60, orders=1))
    shares = tuple(1e-4 * 1000 ** (update / 59) / 0.02 for update in range(60))
    listed = Listed(shares=(0.0,) * 12 + shares)
    session = begin.training(seed=42, schedule=listed, updates=60)
    losses = session.engine.advance(72).losses
    assert losses == pytest.approx(result.orders[0].losses.tolist(), rel=1e-4)


def test_what_lowers_the_rate_of_a_run_has_no_part_in_the_test(tmp_path: Path) -> None:
    """A rate that changes nothing is lowered again and again, and then the training ends."""
    run = finished_run(
        tmp_path,
        NET,
        "optimizer.lr=1e-20",
        "schedule={name: performance, patience: {updates: 1}}",
        "regularization.early_stopping={patience: {updates: 9}}",
        "training.evaluate_every={updates: 1}",
    )
    saved = json.loads(next(run.glob("checkpoints/*/state.json")).read_text())["state"]
    assert saved["plateau"]["factor"] < 1
    assert saved["ended"]
    assert saved["best"]
    begin = from_run(run)
    assert begin.numbers["plateau"]["factor"] == 1.0
    assert begin.numbers["lr_factor"] == 1.0
    assert begin.numbers["ended"] == ""
    assert begin.numbers["best"] is None
    first, *_ = find(begin, RangeTest(updates=50, orders=1)).orders
    assert len(first.losses) > 10


def test_a_run_whose_data_changed_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path, NET)
    file = run / "data.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps({**about, "fingerprint": "of other data"}))
    with pytest.raises(DataError, match="the data have changed"):
        from_run(run)


def test_a_run_whose_net_is_another_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path, NET)
    with pytest.raises(ConfigError, match="1 problem"):
        from_run(run, ["activation=selu"])


def test_a_run_that_kept_no_settings_is_believed_if_its_config_is_the_same(tmp_path: Path) -> None:
    run = finished_run(tmp_path, NET)
    (run / "settings.json").unlink()
    assert from_run(run).step == 12
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("lr: 0.02", "lr: 0.03"))
    with pytest.raises(RunError, match="is not what the run began with"):
        from_run(run)


def test_a_run_without_its_config_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path, NET)
    (run / "config.yaml").unlink()
    with pytest.raises(RunError, match=r"config.yaml is missing"):
        from_run(run)


def test_a_run_without_a_checkpoint_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path, NET)
    for saved in (run / "checkpoints").iterdir():
        saved.rename(run / saved.name)
    with pytest.raises(RunError, match="no checkpoint yet"):
        from_run(run)


def test_again_it_gives_the_same_bits(tmp_path: Path) -> None:
    one, other = (find(start_of(tmp_path), SHORT) for _ in range(2))
    assert losses_of(one) == losses_of(other)
    assert one.to_json() == other.to_json()


def test_orders_differ_and_first_weights_do_not(tmp_path: Path) -> None:
    """With one batch of everything the first loss is that of the weights alone."""
    few = NET.replace("data: digits", "data: {name: digits, train_size: 1000}")
    whole = few.replace("dropout: 0.2", "dropout: 0").replace("batch_size: 16", "batch_size: 1000")
    test = RangeTest(updates=50, orders=2)
    one, other = losses_of(find(start_of(tmp_path, whole), test))
    assert one[0] == pytest.approx(other[0], rel=1e-6)
    first, second = losses_of(find(start_of(tmp_path), SHORT))
    assert first[0] != second[0]


def test_the_first_order_is_that_of_the_seed_and_the_next_that_of_the_next(tmp_path: Path) -> None:
    result = find(start_of(tmp_path), SHORT)
    assert [order.seed for order in result.orders] == [42, 43]
    assert (
        result.orders[0].losses[0]
        == assemble(config_file(tmp_path, NET)).engine.advance(1).losses[0]
    )


def test_ratios_between_rates_are_those_of_the_optimizer(tmp_path: Path) -> None:
    """Whatever the config's own rate is, the tested ones are the same: it is only a unit."""
    one, other = (
        find(start_of(tmp_path, NET, f"optimizer.lr={lr}"), SHORT).orders[0].losses
        for lr in (0.02, 1e-30)
    )
    assert one[:60] == pytest.approx(other[:60], rel=1e-4)
    assert math.isfinite(train_at(start_of(tmp_path, NET, "optimizer.lr=1e-30"), 0.01, 10)[0])


def test_a_constant_loss_is_flat(tmp_path: Path) -> None:
    """Rates too small to change a float32."""
    result = find(start_of(tmp_path), RangeTest(start=1e-20, end=1e-15, updates=100, orders=1))
    assert result.found.refusal is not None
    assert result.found.refusal.reason == "flat"
    assert result.picked is None
    assert result.to_json()["suggestion"] is None


def test_a_net_that_diverges_at_once_says_so(tmp_path: Path) -> None:
    result = find(start_of(tmp_path), RangeTest(start=1e3, end=1e9, updates=100, orders=2))
    assert result.found.refusal is not None
    assert result.found.refusal.reason in ("rises_at_once", "falls_at_once")
    assert all(order.ended for order in result.orders)
    assert all(len(order.losses) < 100 for order in result.orders)


def test_it_stops_soon_after_divergence(tmp_path: Path) -> None:
    result = find(start_of(tmp_path), RangeTest(end=1e4, orders=1))
    (order,) = result.orders
    assert result.found.turning_point is not None
    assert result.found.lr[len(order.losses) - 1] < 30 * result.found.turning_point
    assert order.ended


def test_one_cycle_takes_its_own_pick(tmp_path: Path) -> None:
    momentum = find(start_of(tmp_path), SHORT)
    cycle = find(start_of(tmp_path, NET + "schedule: one_cycle\n"), SHORT)
    assert momentum.picked == momentum.found.constant
    assert cycle.picked == cycle.found.one_cycle
    assert losses_of(cycle) == losses_of(momentum), "the schedule of the config has no part in it"


def test_data_may_be_fewer_than_the_updates(tmp_path: Path) -> None:
    text = NET.replace("data: digits", "data: {name: digits, train_size: 40}")
    assert len(find(start_of(tmp_path, text), SHORT).orders[0].losses) > 3


@pytest.mark.parametrize(
    "line",
    [
        "optimizer: adam",
        "optimizer: {name: adamw, weight_decay: 0.01}",
        "gradient_clipping: {norm: 1}",
        "normalization: batch",
    ],
)
def test_other_parts_have_their_part(line: str, tmp_path: Path) -> None:
    key = line.partition(":")[0]
    text = "\n".join(each for each in NET.splitlines() if not each.startswith(key))
    result = find(start_of(tmp_path, f"{text}\n{line}\n"), RangeTest(updates=60, orders=1))
    assert np.isfinite(result.orders[0].losses).all()


@pytest.mark.parametrize(
    ("losses", "errors", "not_worse"),
    [
        ((1.0, 0.5, 0.6), (0.01, 0.01, 0.01), True),
        ((0.4, 0.5, 0.6), (0.01, 0.01, 0.01), False),
        ((0.5, 0.5, 0.4), (0.01, 0.01, 0.01), False),
        ((0.4, 0.5, 0.6), (0.1, 0.1, 0.1), True),
        ((1.0, 0.5, math.nan), (0.01, 0.01, math.nan), True),
        ((1.0, math.nan, math.nan), (0.01, math.nan, math.nan), False),
        ((math.nan,) * 3, (math.nan,) * 3, False),
    ],
)
def test_the_verdict(losses: tuple[float, ...], errors: tuple[float, ...], not_worse: bool) -> None:
    assert Verification(100, (0.1, 0.3, 0.9), losses, errors).not_worse is not_worse


def test_verifying_trains_around_the_pick(tmp_path: Path) -> None:
    begin = start_of(tmp_path)
    verified = verify(begin, 0.03, 40)
    assert verified.lr == pytest.approx((0.01, 0.03, 0.09))
    config = config_file(tmp_path, NET, "optimizer.lr=0.03", "training.epochs={updates: 40}")
    losses = assemble(config).engine.advance(40).losses
    # The last fifth of forty.
    assert verified.losses[1] == pytest.approx(sum(losses[-8:]) / 8, rel=1e-5)


def test_notes_of_the_data_are_kept(tmp_path: Path) -> None:
    rows = "".join(f"{i},{-i},{i % 2}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows + "0,0,0\n" * 4)
    text = """
data: {name: csv, path: t.csv, target: y, task: classification, validation: 0.2, test: 0.2}
architecture: {name: mlp, hidden: [4]}
"""
    begin = start_of(tmp_path, text)
    assert begin.notes == assemble(read(tmp_path / "tiny.yaml")).data.findings


TRANSFER = """
transfer: {stages: [{epochs: {updates: 9}}, {unfreeze: all}]}
"""


def transferred(folder: Path) -> Path:
    """Returns a run of twelve updates whose first layer was another's, frozen for nine of them."""
    source = load_source(finished_run(folder, NET, name="source"))
    prepared = prepare(config_file(folder, NET + TRANSFER), source)
    training = start(
        prepared.config,
        runs=folder / "runs",
        name="heir",
        command=[],
        data=prepared.data,
        heritage=prepared.heritage(),
    )
    for _ in training.carry_on():
        pass
    return training.folder.path


def test_a_run_that_reused_layers_goes_on_in_its_phase(tmp_path: Path) -> None:
    run = transferred(tmp_path)
    begin = from_run(run)
    assert begin.given is not None
    session = begin.training(seed=42, schedule=Level(share=1.0), updates=20)
    before = session.state.copy_of_network()
    session.engine.advance(14)
    after = session.state.network_tensors()
    assert all(not torch.equal(before[name], after[name]) for name in before)
    # The same, but as if it stood at its beginning: there the first layer keeps its bits.
    session = replace(begin, step=0, numbers={**begin.numbers, "step": 0}).training(
        seed=42, schedule=Level(share=1.0), updates=20
    )
    session.engine.advance(5)
    after = session.state.network_tensors()
    assert [torch.equal(before[name], after[name]) for name in sorted(before)] == [
        *(True, True),
        *(False, False),
    ]


def test_a_config_with_a_transfer_begins_from_scratch_and_says_so(tmp_path: Path) -> None:
    assert start_of(tmp_path, NET + TRANSFER).notes[-1].startswith("a config begins from scratch")


def test_phases_are_those_of_the_whole_training(tmp_path: Path) -> None:
    """A test that is shorter than the training stays in its first phase."""
    begin = from_run(transferred(tmp_path))
    long = begin.config.experiment.training.model_copy(update={"epochs": Duration(updates=500)})
    config = begin.config.with_experiment(
        begin.config.experiment.model_copy(update={"training": long})
    )
    session = replace(begin, config=config).training(seed=42, schedule=Level(share=1.0), updates=20)
    assert session.plan.total_updates == 500
    assert begin.training(seed=42, schedule=Level(share=1.0), updates=20).plan.total_updates == 32
