from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError

from dnnlab.choices.gradient_clipping import GradientClipping


@pytest.mark.parametrize("settings", [{}, {"value": 1.0, "norm": 1.0}])
def test_one_of_three(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give one of value, norm, norm_per_tensor"):
        GradientClipping(**settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"value": 1.0}, [1.0, 0.5, 1.0]),
        ({"norm": 1.0}, [3 / 5.03, 0.5 / 5.03, 4 / 5.03]),
        ({"norm_per_tensor": 1.0}, [3 / 3.0414, 0.5 / 3.0414, 1.0]),
    ],
)
def test_each_kind_does_what_it_says(settings: dict[str, Any], expected: list[float]) -> None:
    """A net of two parameters, (3, 0.5) and (4), in one piece: lengths 3.041, 4 and 5.025."""
    whole = torch.tensor([3.0, 0.5, 4.0])
    GradientClipping(**settings).build()([whole], [whole[:2], whole[2:]])
    torch.testing.assert_close(whole, torch.tensor(expected), rtol=2e-3, atol=0)
