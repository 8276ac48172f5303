from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from dnnlab.kernels.statistics import estimate, paired_difference, paired_ratio
from dnnlab.methods.transfer import Table, TableRow
from dnnlab.report.study import chart, picture, show_study, show_transfer, verdicts


def result(
    kind: str, accuracies: dict[str, tuple[bool, int | None, list[float]]]
) -> dict[str, Any]:
    """A study's result as `methods/study.py` writes it."""
    arms: list[dict[str, Any]] = [
        {
            "name": name,
            "transferred": moved,
            "x": x,
            "diverged": [],
            "metrics": {"accuracy": estimate(v).to_json()},
        }
        for name, (moved, x, v) in accuracies.items()
    ]
    differences = []
    for name, (moved, x, values) in accuracies.items():
        for other, (other_moved, other_x, others) in accuracies.items():
            if not moved or other_moved or (kind == "labels" and x != other_x):
                continue
            errors = [[1 - v for v in each] for each in (others, values)]
            ratio, interval = paired_ratio(*errors)
            differences.append(
                {
                    "one": name,
                    "other": other,
                    "metrics": {"accuracy": paired_difference(values, others).to_json()},
                    "error_ratio": {
                        "ratio": ratio,
                        "ci95": interval,
                        "errors": [estimate(each).mean for each in errors],
                    },
                }
            )
    seeds = list(range(len(next(iter(accuracies.values()))[2])))
    return {
        "kind": kind,
        "seeds": seeds,
        "arms": arms,
        "differences": differences,
        "left_out": {},
    }


def test_arms_that_diverged_are_counted_and_not_judged() -> None:
    arms = {"transfer": (True, None, [0.9, 0.8]), "scratch": (False, None, [0.7, 0.6])}
    found = result("transfer", arms)  # type: ignore[arg-type]
    found["arms"][0] |= {"diverged": [43], "metrics": {}}
    found["differences"] = []
    found["left_out"] = {"loss": ["runs/s/runs/scratch-seed-42"]}
    lines = shown(show_study, found)
    assert lines[0] == "transfer: 1 of 2 trainings diverged"
    assert lines[2].split() == ["scratch", "0.6500", "±", "0.07071"]
    assert "loss is left out: it is not finite in runs/s/runs/scratch-seed-42" in lines
    assert lines[-1] == "nothing can be compared: trainings have diverged"
    assert picture(found).startswith(b"\x89PNG")
    found["arms"][1] |= {"diverged": [42, 43], "metrics": {}}
    assert shown(show_study, found)[1] == "scratch: 2 of 2 trainings diverged"
    assert picture(found).startswith(b"\x89PNG")


def test_the_factor_of_four_is_judged_by_its_interval() -> None:
    """Errors of .04, .042, .038 from scratch, and a quarter of each with reuse."""
    quarter = result(
        "transfer",
        {
            "transfer": (True, None, [0.99, 0.9894, 0.9906]),
            "scratch": (False, None, [0.96, 0.958, 0.962]),
        },
    )
    (sentence,) = verdicts(quarter)
    assert sentence.startswith("reuse helps (accuracy +0.03000, 95 % interval ")
    assert "error 4.00% from scratch, 1.00% with reuse: a factor of 4.00" in sentence
    assert sentence.endswith("the chapter's factor of four may hold here")
    half = result(
        "transfer",
        {
            "transfer": (True, None, [0.98, 0.979, 0.981]),
            "scratch": (False, None, [0.96, 0.958, 0.962]),
        },
    )
    (sentence,) = verdicts(half)
    assert sentence.endswith("the chapter's factor of four does not hold here")


@pytest.mark.parametrize(
    ("reused", "words"),
    [
        ([0.9, 0.91, 0.92], "reuse helps"),
        ([0.7, 0.71, 0.72], "reuse harms"),
        ([0.8, 0.85, 0.77], "reuse is not seen to help"),
    ],
)
def test_a_verdict_needs_an_interval_without_nothing(reused: list[float], words: str) -> None:
    arms = {"transfer": (True, None, reused), "scratch": (False, None, [0.8, 0.81, 0.82])}
    assert next(verdicts(result("transfer", arms))).startswith(words)  # type: ignore[arg-type]


def test_one_seed_is_no_verdict_and_one_arm_none_either() -> None:
    one = {"transfer": (True, None, [0.9]), "scratch": (False, None, [0.8])}
    assert [*verdicts(result("transfer", one))] == ["one seed says nothing of the next: --seeds 10"]  # type: ignore[arg-type]
    alone = {"transfer": (True, None, [0.9, 0.8])}
    (sentence,) = verdicts(result("transfer", alone))  # type: ignore[arg-type]
    assert "--scratch" in sentence


LABELS: Any = {
    "reused-100": (True, 100, [0.8, 0.82]),
    "scratch-100": (False, 100, [0.7, 0.71]),
    "reused-200": (True, 200, [0.85, 0.87]),
    "scratch-200": (False, 200, [0.8, 0.81]),
}


def test_labels_are_compared_number_by_number() -> None:
    found = [*verdicts(result("labels", LABELS))]
    assert [line.partition(":")[0] for line in found] == [
        "100 labelled examples",
        "200 labelled examples",
    ]
    lines = chart(result("labels", LABELS))
    assert lines[:3] == ["", "accuracy", "o reused  · from scratch"]
    assert "labelled examples" in lines[-1]


@pytest.mark.parametrize("kind", ["labels", "transfer"])
def test_a_picture_is_a_png(kind: str) -> None:
    assert picture(result(kind, LABELS)).startswith(b"\x89PNG")


def shown(show: Any, *values: Any) -> list[str]:
    stream = io.StringIO()
    show(*values, Console(file=stream, width=200))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_every_arm_and_difference_stands_in_the_table() -> None:
    lines = shown(show_study, result("labels", LABELS))
    assert lines[0].split() == ["test,", "2", "seeds", "accuracy"]
    assert lines[1].split() == ["reused-100", "0.8100", "±", "0.01414"]
    # The pairs differ by .10 and .11: mean .105, and t of one degree is 12.706.
    assert lines[5].split() == [
        "reused-100",
        "-",
        "scratch-100",
        "+0.10500",
        "[+0.04147,",
        "+0.16853]",
    ]


def test_the_table_of_layers_says_what_when_and_at_which_rate() -> None:
    rows = (
        TableRow("dense1", "reused", "", (5, 6), 35, 30, (0.0, 0.1)),
        TableRow("dense2", "skipped", "dense2.weight is 9 x 5 there", (4, 5), 24, 0, (1.0, 1.0)),
        TableRow("output", "reused", "", (3, 4), 15, None, (0.0, 0.0)),
    )
    table = Table("runs/a[b]", rows, ("old",), (0, 30), (30,), 10, 50)
    lines = shown(show_transfer, table, 0.01)
    assert lines[0] == "from runs/a[b]:"
    assert lines[2].split() == [
        "dense1",
        "reused",
        "5",
        "x",
        "6",
        "35",
        "30",
        "(epoch",
        "3)",
        "0",
        "->",
        "0.001",
    ]
    assert lines[3].split() == [
        "dense2",
        "skipped",
        "4",
        "x",
        "5",
        "24",
        "-",
        "0.01",
        "dense2.weight",
        "is",
        "9",
        "x",
        "5",
        "there",
    ]
    assert lines[4].split() == ["output", "reused", "3", "x", "4", "15", "the", "end", "0"]
    assert lines[5] == "not used of it: old"
    assert lines[6] == "the optimizer begins anew at update 30"
