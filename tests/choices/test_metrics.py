from __future__ import annotations

from dnnlab.choices.losses import Task
from dnnlab.choices.metrics import R2, Accuracy, MeanAbsoluteError, usual_metrics
from tests.support import refusal_of


def test_usual_metrics_fit_their_task() -> None:
    assert [metric.name for metric in usual_metrics("classification")] == ["accuracy"]
    assert [metric.name for metric in usual_metrics("regression")] == ["mae", "rmse", "r2"]
    tasks: tuple[Task, ...] = ("classification", "regression", "reconstruction")
    for task in tasks:
        assert all(task in metric.tasks for metric in usual_metrics(task))


def test_which_way_is_better() -> None:
    assert Accuracy.larger_is_better
    assert R2.larger_is_better
    assert not MeanAbsoluteError.larger_is_better


def test_a_metric_that_is_always_1_is_refused() -> None:
    text = "data: digits\narchitecture: {name: mlp, hidden: [4]}\nmetrics: [{name: top_k, k: 10}]\n"
    assert refusal_of(text) == ["3:11 metrics[0]: top_10 of 10 classes is always 1"]
