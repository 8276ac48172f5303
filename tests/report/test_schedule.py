from __future__ import annotations

import subprocess
import sys

import pytest

from dnnlab.choices.schedules import Schedule
from dnnlab.report.curve import HEIGHT, WIDTH
from dnnlab.report.schedule import of_default, of_experiment
from tests.support import experiment_of

START = "data: digits\narchitecture: {name: mlp, hidden: [8]}\n"


def drawn(text: str) -> list[str]:
    return list(of_experiment(experiment_of(START + text)))


def rows_of(lines: list[str], name: str) -> list[str]:
    """Returns the canvas of the picture of that name, padded to its width."""
    top = lines.index(f"o {name}")
    canvas = [line.partition("|")[2].ljust(WIDTH) for line in lines[top + 1 : top + 1 + HEIGHT]]
    assert lines[top + 1 + HEIGHT].endswith(f"+{'-' * WIDTH}")
    return canvas


def highest_mark(rows: list[str], column: int) -> int:
    """Returns the row, from the top, of the first mark in a column."""
    return min(row for row, line in enumerate(rows) if line[column] == "o")


def test_one_cycle_goes_up_and_down_and_its_momentum_the_other_way() -> None:
    lines = list(of_default("one_cycle"))
    assert lines[0] == "with its default settings over 10 epochs of 100 updates:"
    rates, momenta = rows_of(lines, "share of the highest rate"), rows_of(lines, "momentum")
    top = round(0.45 * (WIDTH - 1))  # the first of two equal phases of 45 %
    assert highest_mark(rates, top) == 0
    assert highest_mark(rates, 0) == round(0.9 * (HEIGHT - 1))
    assert rates[-1][-1] == "o"
    assert momenta[-1][top] == "o"
    assert (momenta[0][0], momenta[0][-1]) == ("o", "o")
    assert lines[-1].strip().startswith("0")
    assert lines[-1].endswith("epoch 10")


def test_labels_are_the_highest_and_the_lowest_rate_of_the_experiment() -> None:
    lines = drawn(
        "optimizer: {name: sgd, lr: 0.05, momentum: 0.9}\n"
        "schedule: {name: one_cycle, low_momentum: 0.0}\n"
    )
    top = lines.index("o learning rate")
    assert lines[0].startswith("as if an epoch had 1,000 updates")
    assert lines[top + 1].startswith("0.05000 |")
    assert lines[top + HEIGHT].startswith("  5e-06 |")  # lr * end
    momenta = lines[lines.index("o momentum") :]
    assert momenta[1].startswith("0.9500 |")
    assert momenta[HEIGHT].startswith("     0 |")


def test_what_does_not_move_is_one_line() -> None:
    assert drawn("optimizer: {name: sgd, lr: 0.001}")[2:] == ["learning rate: 0.001 throughout"]
    lines = drawn("optimizer: {name: sgd, lr: 0.001, momentum: 0.9}\nschedule: performance")
    assert lines[2:] == [
        "learning rate: 0.001 throughout",
        "(performance lowers it when the validation metric stops improving: not drawn)",
        "",
        "momentum: 0.9 throughout",
    ]


def test_a_training_in_updates_has_an_axis_of_updates() -> None:
    lines = drawn("training: {epochs: {updates: 300}}\nschedule: linear")
    assert lines[-1].endswith("update 300")
    rows = rows_of(lines, "learning rate")
    assert [highest_mark(rows, column) for column in (0, WIDTH - 1)] == [0, HEIGHT - 1]


def test_a_warm_up_is_drawn() -> None:
    rows = rows_of(drawn("schedule: {name: constant, warm_up: 5}"), "learning rate")
    assert highest_mark(rows, 0) == HEIGHT - 1
    assert highest_mark(rows, WIDTH // 2) == 0


@pytest.mark.parametrize("length", ["{updates: 1}", "{updates: 2}", "1", "1000000"])
def test_every_length_can_be_drawn(length: str) -> None:
    for name in Schedule.members:
        lines = drawn(f"schedule: {name}\ntraining: {{epochs: {length}}}")
        assert "learning rate" in lines[2]


@pytest.mark.parametrize("name", list(Schedule.members))
def test_pictures_are_ascii_for_any_pipe(name: str) -> None:
    assert "\n".join(of_default(name)).isascii()


def test_drawing_needs_no_torch() -> None:
    program = (
        "import sys; from dnnlab.report.schedule import of_default; list(of_default('cosine')); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
