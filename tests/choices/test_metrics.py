from __future__ import annotations

from dnnlab.choices.losses import Task
from dnnlab.choices.metrics import R2, Accuracy, MeanAbsoluteError, usual_metrics


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
