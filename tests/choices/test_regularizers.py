from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from dnnlab.choices.regularizers import Dropout, DropoutPlaces, EarlyStopping
from dnnlab.spec import Duration


def test_dropout_scales_what_is_left() -> None:
    torch.manual_seed(0)
    out = Dropout(rate=0.25).build()(torch.ones(200_000))
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert out.mean().item() == pytest.approx(1.0, abs=0.01)


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    """A million standard normal numbers: mean to 0.001, variance to 0.002 (1 sd each)."""
    torch.manual_seed(0)
    x = torch.randn(1_000_000)
    out = Dropout(rate=0.2, kind="alpha").build()(x)
    assert out.mean().item() == pytest.approx(0.0, abs=0.006)
    assert out.var().item() == pytest.approx(1.0, abs=0.012)
    dropped = out.mode().values.item()
    keep, alpha = 0.8, -1.7580993408473766  # selu's lower limit
    a = (keep + alpha**2 * keep * 0.2) ** -0.5
    assert dropped == pytest.approx(a * alpha - a * 0.2 * alpha, rel=1e-5)


def test_evaluation_drops_nothing() -> None:
    x = torch.randn(100)
    for kind in ("standard", "alpha"):
        module = Dropout(rate=0.9, kind=kind).build().eval()
        torch.testing.assert_close(module(x), x)


@pytest.mark.parametrize(
    ("places", "on_input", "on_hidden"),
    [
        (DropoutPlaces(layers="all"), True, [True, True, True]),
        (DropoutPlaces(layers="hidden"), False, [True, True, True]),
        (DropoutPlaces(layers="input"), True, [False, False, False]),
        (DropoutPlaces(top=2), False, [False, True, True]),
        (DropoutPlaces(top=9), False, [True, True, True]),
    ],
)
def test_where_dropout_stands(places: DropoutPlaces, on_input: bool, on_hidden: list[bool]) -> None:
    assert places.on_input() is on_input
    assert [places.on_hidden(layer, 3) for layer in range(3)] == on_hidden


def test_places_are_one_of_both() -> None:
    with pytest.raises(ValidationError, match="all, hidden, input"):
        DropoutPlaces()
    with pytest.raises(ValidationError, match="all, hidden, input"):
        DropoutPlaces(layers="all", top=1)


def test_patience_may_be_written_as_a_number_of_epochs() -> None:
    assert EarlyStopping.model_validate({"patience": 3}).patience == Duration(epochs=3)


def test_spatial_dropout_drops_whole_maps() -> None:
    torch.manual_seed(0)
    dropout = Dropout(rate=0.5, kind="spatial")
    maps = dropout.build(spatial=True)(torch.ones(50, 8, 4, 4)).flatten(2)
    assert torch.equal(maps.amin(2), maps.amax(2)), "a map is dropped whole or not at all"
    assert 0.4 < float((maps.amax(2) == 0).double().mean()) < 0.6
    units = dropout.build()(torch.ones(50, 8))
    assert 0.3 < float((units == 0).double().mean()) < 0.7
