from __future__ import annotations

from dnnlab.errors import (
    ConfigError,
    DataError,
    DivergedError,
    DnnlabError,
    MachineError,
    Problem,
    RunError,
)


def test_every_kind_of_refusal_has_its_own_exit_code() -> None:
    codes = {kind: kind.exit_code for kind in DnnlabError.__subclasses__()}
    assert codes == {
        ConfigError: 2,
        DataError: 3,
        RunError: 4,
        DivergedError: 5,
        MachineError: 6,
    }


def test_problems_come_in_the_order_of_the_file() -> None:
    late, early = Problem("9:1", "late", (0, 9, 1)), Problem("2:7", "early", (0, 2, 7))
    base = Problem("base.yaml 1:1", "base", (1, 1, 1))
    error = ConfigError("a.yaml", [base, late, early])
    assert [problem.message for problem in error.problems] == ["early", "late", "base"]
    assert str(error) == "3 problems in a.yaml"
    assert str(ConfigError("a.yaml", [late])) == "1 problem in a.yaml"
