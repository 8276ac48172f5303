from __future__ import annotations

import re
import subprocess
import sys
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import ValidationError

from dnnlab.spec import (
    Auto,
    Choice,
    Count,
    Duration,
    Epochs,
    InputPath,
    OrAuto,
    Positive,
    Shorthand,
    Spec,
    choice_name,
    families_in,
    family_of,
    specs_in,
)


class Pace(Choice):
    """A family."""

    family: ClassVar[str] = "pace"
    members: ClassVar[dict[str, str]] = {"fast": "test_spec.Fast", "slow": "test_spec.Slow"}


class Fast(Pace):
    """One."""

    name: Literal["fast"] = "fast"
    rate: Positive = 1.0
    """How fast."""


class Slow(Pace):
    """Two."""

    name: Literal["slow"] = "slow"


class Whole(Spec):
    """All ways of writing a value."""

    pace: Pace = Fast()
    threads: Annotated[Count | Auto, OrAuto()] = "auto"
    short: Annotated[Fast, Shorthand("rate")] | None = None
    long: Epochs = Duration(epochs=1)
    """How long it takes, and a sentence
    that goes on."""


def errors(**settings: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Whole.model_validate(settings)
    return [error["type"] for error in caught.value.errors()]


def test_a_name_alone_stands_for_a_choice() -> None:
    assert Whole.model_validate({"pace": "slow"}).pace == Slow()
    assert Whole.model_validate({"pace": {"name": "fast", "rate": 2}}).pace == Fast(rate=2.0)


def test_a_family_says_what_is_wrong_with_a_choice() -> None:
    assert errors(pace="fats") == ["choice_unknown"]
    assert errors(pace={"rate": 2}) == ["choice_missing"]
    assert errors(pace=3) == ["choice_type"]
    assert errors(pace={"name": ["fast"]}) == ["choice_unknown"]
    assert errors(pace={"name": "fast", "rate": -1}) == ["greater_than"]


def test_a_value_alone_stands_for_a_mapping() -> None:
    assert Whole.model_validate({"short": 3}).short == Fast(rate=3.0)
    assert Whole.model_validate({"short": None}).short is None
    assert errors(short=[3]) == ["model_type"]


def test_auto_stands_beside_a_type() -> None:
    assert Whole.model_validate({"threads": "auto"}).threads == "auto"
    assert Whole.model_validate({"threads": 2}).threads == 2
    assert errors(threads=0) == ["or_auto"]
    assert errors(threads="two") == ["or_auto"]


@pytest.mark.parametrize("bad", [True, "1", float("nan"), float("inf"), None, [1]])
def test_numbers_are_strict(bad: Any) -> None:
    assert len(errors(pace={"name": "fast", "rate": bad})) == 1


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1e31, "1e+31 is beyond 1e+30, and nets compute in float32"),
        (5e-324, "4.94066e-324 is nearer to 0 than 1e-30, and nets compute in float32"),
    ],
)
def test_every_number_fits_into_float32(number: float, said: str) -> None:
    """A smaller one would be 0 there, and what is divided by it is not finite."""
    for end in (1e30, 1e-30):
        assert Fast(rate=end).rate == end
    with pytest.raises(ValidationError, match=re.escape(said)):
        Fast(rate=number)


def test_durations_are_epochs_or_updates_and_not_both() -> None:
    assert Duration(epochs=0.5).in_updates(1719) == 860
    assert Duration(epochs=1e-6).in_updates(1719) == 1
    assert Duration(updates=7).in_updates(1719) == 7
    with pytest.raises(ValidationError, match="either epochs or updates"):
        Duration(epochs=1, updates=1)
    with pytest.raises(ValidationError, match="either epochs or updates"):
        Duration()


class Pointing(Spec):
    """A file."""

    file: InputPath


def pointed(path: str, **context: Any) -> str:
    return Pointing.model_validate({"file": path}, context=context).file


def test_a_path_starts_at_the_folder_of_the_config(tmp_path: Any) -> None:
    assert pointed("a.csv", folder=tmp_path) == str(tmp_path / "a.csv")
    assert pointed("/x/a.csv", folder=tmp_path) == "/x/a.csv"
    assert pointed("a.csv") == "a.csv"


def test_paths_that_lead_nowhere(tmp_path: Any) -> None:
    (tmp_path / "loop").symlink_to("loop")  # whoever reads it is told by the system
    assert pointed("loop/a.csv", folder=tmp_path) == str(tmp_path / "loop" / "a.csv")
    with pytest.raises(ValidationError, match="is not UTF-8, and a config cannot keep it"):
        pointed("a.csv", folder=tmp_path / "m\udcfcller")
    for path in ("a\0b", "~no-such-user/a", ""):
        with pytest.raises(ValidationError):
            pointed(path, folder=tmp_path)
    assert pointed("x" * 255)
    for path in ("x" * 256, "a/" + "ä" * 128 + "/b"):
        with pytest.raises(ValidationError, match="a name of 256 bytes; no file has one over 255"):
            pointed(path, folder=tmp_path)


def test_the_meaning_of_a_setting_is_the_sentence_under_it() -> None:
    meanings = Whole.field_meanings()
    assert meanings == {"long": "How long it takes, and a sentence\nthat goes on."}
    assert Fast.field_meanings() == {"rate": "How fast."}


def test_looking_into_types() -> None:
    assert list(specs_in(Whole.model_fields["pace"].annotation)) == [Fast, Slow]
    assert list(specs_in(Pace, "slow")) == [Slow]
    assert list(specs_in(Pace, "no such")) == [Fast, Slow]
    assert list(specs_in(tuple[Annotated[Fast, "x"] | None, ...])) == [Fast]
    assert list(families_in(Annotated[tuple[Pace, ...] | None, "x"])) == [Pace]
    assert family_of(Pace) is Pace
    assert family_of(Fast) is None
    assert choice_name(Fast) == "fast"
    assert choice_name(Whole) is None


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Fast().rate = 2.0  # type: ignore[misc]


def test_whether_a_family_may_have_a_setting_is_seen_without_importing_it() -> None:
    program = (
        "import sys\n"
        "from dnnlab.choices.optimizers import Optimizer\n"
        "assert Optimizer.may_have('beta1') and not Optimizer.may_have('no_such_setting')\n"
        "assert 'dnnlab.choices.optimizers.adaptive' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert Pace.may_have("rate")
