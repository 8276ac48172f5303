from __future__ import annotations

import pytest

from dnnlab.choices.transfer import Transfer
from dnnlab.plan import Plan
from dnnlab.training.phases import (
    Phase,
    begins_anew,
    frozen_between,
    of_pretraining,
    of_transfer,
    phase_at,
)
from dnnlab.training.reuse import NoSuchLayer
from tests.support import experiment_of

LAYERS = ("dense1", "dense2", "dense3", "output")
REUSED = LAYERS[:3]


def plan() -> Plan:
    """Ten updates an epoch, ten epochs."""
    text = """
data: digits
architecture: {name: mlp, hidden: [4, 4, 4]}
training: {epochs: 10, batch_size: 10}
"""
    return experiment_of(text).plan(100)


def learning(phases: tuple[Phase, ...]) -> list[tuple[int, list[str]]]:
    return [(p.start, [name for name in LAYERS if not p.frozen(name)]) for p in phases]


def transfer(**settings: object) -> Transfer:
    return Transfer.model_validate(settings)


def test_by_default_what_is_reused_is_frozen_for_four_epochs() -> None:
    phases = of_transfer(Transfer(), plan(), LAYERS, REUSED)
    assert learning(phases) == [(0, ["output"]), (40, [*LAYERS])]


def test_what_is_new_learns_from_the_start() -> None:
    phases = of_transfer(Transfer(), plan(), LAYERS, ["dense1"])
    assert learning(phases) == [(0, ["dense2", "dense3", "output"]), (40, [*LAYERS])]


def test_the_top_layers_or_named_ones_can_learn_first() -> None:
    stages = [
        {"epochs": 1, "unfreeze": {"top": 2}},
        {"epochs": {"updates": 5}, "unfreeze": {"layers": ["dense[13]"]}},
        {"epochs": 2, "unfreeze": "all"},
    ]
    phases = of_transfer(transfer(stages=stages), plan(), LAYERS, REUSED)
    assert learning(phases) == [
        (0, ["dense2", "dense3", "output"]),
        (10, ["dense1", "dense3", "output"]),
        (15, [*LAYERS]),
    ]


def test_layers_can_be_unfrozen_one_after_the_other_from_the_top() -> None:
    stages = [{"epochs": 3, "unfreeze": "none"}, {"unfreeze": {"one_every": 2}}]
    phases = of_transfer(transfer(stages=stages), plan(), LAYERS, REUSED)
    assert learning(phases) == [
        (0, ["output"]),
        (30, ["dense3", "output"]),
        (50, ["dense2", "dense3", "output"]),
        (70, [*LAYERS]),
    ]


def test_a_stage_that_is_over_unfreezes_no_more() -> None:
    stages = [{"epochs": 3, "unfreeze": {"one_every": 2}}, {"unfreeze": "none"}]
    phases = of_transfer(transfer(stages=stages), plan(), LAYERS, REUSED)
    assert [phase.start for phase in phases] == [0, 20, 30]


def test_rates_fall_with_depth_and_by_stage() -> None:
    stages = [{"epochs": 1}, {"unfreeze": "all", "lr_factor": 0.5}]
    phases = of_transfer(transfer(stages=stages, lr_decay=0.1), plan(), LAYERS, REUSED)
    assert phases[0].factors == {"dense1": 0, "dense2": 0, "dense3": 0, "output": 1}
    expected = [0.5 * 0.1**3, 0.5 * 0.1**2, 0.5 * 0.1, 0.5]
    assert [phases[1].factors[name] for name in LAYERS] == pytest.approx(expected)


def test_batch_normalization_can_stand_still_where_its_layer_learns() -> None:
    still = of_transfer(transfer(batch_norm="frozen"), plan(), LAYERS, REUSED)[-1].still
    assert still == set(REUSED)
    assert of_transfer(Transfer(), plan(), LAYERS, REUSED)[-1].still == frozenset()


def test_a_layer_that_is_not_there_is_named_with_its_place() -> None:
    stages = [{"epochs": 1}, {"unfreeze": {"layers": ["dense1", "dense9"]}}]
    with pytest.raises(NoSuchLayer, match=r"'dense9'; did you mean dense\d\?") as caught:
        of_transfer(transfer(stages=stages), plan(), LAYERS, REUSED)
    assert caught.value.path == ("transfer", "stages", 1, "unfreeze", "layers", 1)


def test_a_pretrainings_phases_are_equally_long() -> None:
    phases = of_pretraining([{"dense1"}, {"dense2"}, {"dense3"}], plan(), LAYERS)
    assert learning(phases) == [(0, ["dense1"]), (33, ["dense2"]), (66, ["dense3"])]


def test_the_phase_of_an_update() -> None:
    phases = of_transfer(Transfer(), plan(), LAYERS, REUSED)
    assert [phase_at(phases, update) for update in (0, 39, 40, 99)] == [0, 0, 1, 1]
    assert phase_at((), 5) == 0


def test_the_optimizer_begins_anew_where_other_layers_learn_and_nowhere_else() -> None:
    stages = [
        {"epochs": 1},
        {"epochs": 1, "unfreeze": "all"},
        {"epochs": 1, "unfreeze": "all", "lr_factor": 0.1},
        {"unfreeze": {"top": 1}},
    ]
    phases = of_transfer(transfer(stages=stages), plan(), LAYERS, REUSED)
    assert [update for update in range(100) if begins_anew(phases, update)] == [10, 30]
    assert not begins_anew((), 0)


def test_frozen_between_looks_at_updates_that_were_applied() -> None:
    phases = of_transfer(Transfer(), plan(), LAYERS, REUSED)
    assert frozen_between(phases, 0, 40) == [*REUSED]  # update 40 itself is still to come
    assert frozen_between(phases, 0, 41) == []
    assert frozen_between(phases, 40, 41) == []
    stages = [{"epochs": 1, "unfreeze": "all"}, {"unfreeze": {"top": 1}}]
    again = of_transfer(transfer(stages=stages), plan(), LAYERS, REUSED)
    assert frozen_between(again, 0, 30) == []
    assert frozen_between(again, 10, 30) == ["dense1", "dense2"]
    assert frozen_between(again, 30, 30) == []
    assert frozen_between((), 0, 5) == []
