"""What the trainings of a study say together: means, paired differences, ratios of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dnnlab.kernels.statistics import Estimate, estimate, paired_difference, paired_ratio
from dnnlab.methods.arms import Arm

Kind = Literal["transfer", "depths", "labels"]
"""transfer: with reused layers, and maybe from scratch; depths: with 0, 1, 2 ... reused layers;
labels: with few, some and many labels, with reused layers and from scratch."""
Results = Mapping[tuple[str, int], dict[str, Any] | None]
"""The result of each training, by arm and seed; None of one that diverged."""


def compare_arms(
    kind: Kind, arms: Sequence[Arm], seeds: Sequence[int], results: Results
) -> dict[str, Any]:
    """Returns what the trainings say together, measured on the test split.

    Arms of which a training diverged have no metrics: those that are left would look too good.
    """
    diverged = {
        arm.name: [seed for seed in seeds if results[arm.name, seed] is None] for arm in arms
    }
    whole = {
        arm.name: [r for seed in seeds if (r := results[arm.name, seed]) is not None]
        for arm in arms
        if not diverged[arm.name]
    }
    names, left_out = _common_metrics([r for each in whole.values() for r in each])
    estimates = {
        name: {
            metric: estimate([result["metrics"]["test"][metric] for result in each])
            for metric in names
        }
        for name, each in whole.items()
    }
    differences = [
        {
            "one": one.name,
            "other": other.name,
            "metrics": {
                name: paired_difference(value.values, estimates[other.name][name].values).to_json()
                for name, value in estimates[one.name].items()
            },
            "error_ratio": _error_ratio(estimates[other.name], estimates[one.name]),
        }
        for one, other in _pairs(kind, arms)
        if one.name in estimates and other.name in estimates
    ]
    return {
        "kind": kind,
        "seeds": list(seeds),
        "split": "test",
        "arms": [
            {
                "name": arm.name,
                "transferred": arm.transferred,
                "x": arm.x,
                "diverged": diverged[arm.name],
                "metrics": {
                    name: each.to_json() for name, each in estimates.get(arm.name, {}).items()
                },
            }
            for arm in arms
        ],
        "differences": differences,
        "left_out": left_out,
    }


def _pairs(kind: Kind, arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Returns which arms are compared: each that reuses layers with the one from scratch."""
    return [
        (arm, other)
        for arm in arms
        for other in arms
        if arm.transferred and not other.transferred and (kind != "labels" or arm.x == other.x)
    ]


def _common_metrics(results: list[dict[str, Any]]) -> tuple[list[str], dict[str, list[str]]]:
    """Returns which numbers of the test split all results have, and of the others the runs that
    have none, since it was not finite.
    """
    names: list[str] = []
    left_out: dict[str, list[str]] = {}
    measured = [result["metrics"]["test"] for result in results]
    for name in dict.fromkeys(name for each in measured for name in each):
        if any(isinstance(each.get(name), list) for each in measured):
            continue  # a table
        lacking = [
            str(result["run"])
            for result, each in zip(results, measured, strict=True)
            if not isinstance(each.get(name), int | float)
        ]
        if lacking:
            left_out[name] = lacking
        else:
            names.append(name)
    return names, left_out


def _error_ratio(one: dict[str, Estimate], other: dict[str, Estimate]) -> dict[str, Any] | None:
    """Returns how many times the error of `one` is that of `other`; None where none is counted."""
    if "accuracy" not in one:
        return None
    errors = [[1 - value for value in each["accuracy"].values] for each in (one, other)]
    ratio, interval = paired_ratio(*errors)
    return {
        "ratio": ratio,
        "ci95": None if interval is None else list(interval),
        "errors": [estimate(each).mean for each in errors],
    }
