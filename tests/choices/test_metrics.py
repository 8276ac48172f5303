from __future__ import annotations

from dnnlab.choices.metrics import R2, Accuracy, MeanAbsoluteError, usual_metrics


def test_usual_metrics_fit_their_task() -> None:
    assert [metric.name for metric in usual_metrics("classification")] == ["accuracy"]
    assert [metric.name for metric in usual_metrics("regression")] == ["mae", "rmse", "r2"]
    assert {metric.task for metric in usual_metrics("classification")} == {"classification"}
    assert {metric.task for metric in usual_metrics("regression")} == {"regression"}


def test_which_way_is_better() -> None:
    assert Accuracy.larger_is_better
    assert R2.larger_is_better
    assert not MeanAbsoluteError.larger_is_better
