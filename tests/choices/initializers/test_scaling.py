from __future__ import annotations

import pytest
import torch

from dnnlab.choices.initializers.scaling import (
    GlorotUniform,
    HeNormal,
    LecunNormal,
    VarianceScaling,
)

SHAPE = (500, 1000)  # 1,000 inputs, 500 units


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [
        (LecunNormal(), 1 / 1000),
        (HeNormal(), 2 / 1000),
        (GlorotUniform(), 1 / 750),
        (VarianceScaling(scale=2.0, mode="fan_avg", distribution="uniform"), 2 / 750),
    ],
)
def test_variances_of_the_chapters_table(
    initializer: LecunNormal | HeNormal | GlorotUniform | VarianceScaling, variance: float
) -> None:
    kernel = torch.empty(SHAPE)
    initializer.build()(kernel, torch.Generator().manual_seed(3))
    assert kernel.var().item() == pytest.approx(variance, rel=0.01)


def test_torchs_own_default_is_a_third_of_hes_variance_and_not_ours() -> None:
    """Uniform within 1/sqrt(fan_in) has variance 1/(3 fan_in); a sixth of He's 2/fan_in."""
    theirs = torch.nn.Linear(1000, 500).weight.var().item()
    assert theirs == pytest.approx(1 / 3000, rel=0.02)


def test_torchs_kaiming_normal_is_not_truncated() -> None:
    kernel = torch.empty(SHAPE)
    torch.nn.init.kaiming_normal_(kernel, generator=torch.Generator().manual_seed(0))
    assert kernel.abs().max().item() > 3 * (2 / 1000) ** 0.5
