from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from dnnlab.config.patch import with_lr
from dnnlab.config.read import Config, interpret, read
from dnnlab.config.write import settings, to_yaml
from dnnlab.errors import ConfigError

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
NET = "data: digits\narchitecture: {name: mlp, hidden: [4]}\n"


def patched(folder: Path, text: str, lr: float = 0.0123, out: str = "out.yaml") -> str:
    (folder / "in.yaml").write_bytes(text.encode())
    return with_lr(read(folder / "in.yaml"), lr, folder / out).decode()


def changed_lines(before: str, after: str) -> list[str]:
    return [
        line
        for line in difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
        if line[0] in "+-"
    ]


SHAPES = [
    ("flow", "optimizer: {name: sgd, lr: 0.1}\n", "optimizer: {name: sgd, lr: 0.0123}\n"),
    ("first in flow", "optimizer: {lr: 1e-3, name: sgd}\n", "optimizer: {lr: 0.0123, name: sgd}\n"),
    ("no name", "optimizer: {lr: 1.0e-03}\n", "optimizer: {lr: 0.0123}\n"),
    ("flow without", "optimizer: {name: adam}\n", "optimizer: {name: adam, lr: 0.0123}\n"),
    ("empty flow", "optimizer: {}\n", "optimizer: {lr: 0.0123}\n"),
    ("comma at the end", "optimizer: {name: sgd,}\n", "optimizer: {name: sgd, lr: 0.0123,}\n"),
    ("word", "optimizer: adam # best\n", "optimizer: {name: adam, lr: 0.0123} # best\n"),
    ("quoted", "optimizer: 'adam'\n", "optimizer: {name: 'adam', lr: 0.0123}\n"),
    (
        "block",
        "optimizer:\n  name: sgd\n  lr: 0.1   # by hand\n  momentum: 0.9\n",
        "optimizer:\n  name: sgd\n  lr: 0.0123   # by hand\n  momentum: 0.9\n",
    ),
    (
        "block without",
        "optimizer:   # which\n    name: sgd  # plain\n    # more\n    momentum: 0.9\n",
        "optimizer:   # which\n    name: sgd  # plain\n    lr: 0.0123\n    # more\n"
        "    momentum: 0.9\n",
    ),
    (
        "block without name",
        "optimizer:\n  momentum: 0.9\n# the end\n",
        "optimizer:\n  momentum: 0.9\n  lr: 0.0123\n# the end\n",
    ),
    (
        "flow over lines",
        "optimizer: {\n  name: sgd,  # plain\n  momentum: 0.9  # much\n}\n",
        "optimizer: {\n  name: sgd,  # plain\n  momentum: 0.9, lr: 0.0123  # much\n}\n",
    ),
    ("none", "training: {epochs: 1}\n", "training: {epochs: 1}\noptimizer: {lr: 0.0123}\n"),
    ("no end of line", "training: {epochs: 1}", "training: {epochs: 1}\noptimizer: {lr: 0.0123}\n"),
    (
        "comments at the end",
        "training:\n  epochs: 1\n\n# and that is all\n",
        "training:\n  epochs: 1\noptimizer: {lr: 0.0123}\n\n# and that is all\n",
    ),
    ("quoted key", '"optimizer": {"lr": 0.1}\n', '"optimizer": {"lr": 0.0123}\n'),
    ("windows", "optimizer:\r\n  name: sgd\r\n", "optimizer:\r\n  name: sgd\r\n  lr: 0.0123\r\n"),
    (
        "umlauts before",
        "# größer ☃ 𝛼\noptimizer: {lr: 1}\n",
        "# größer ☃ 𝛼\noptimizer: {lr: 0.0123}\n",
    ),
    (
        "end of document",
        "training: {epochs: 1}\n...\n",
        "training: {epochs: 1}\noptimizer: {lr: 0.0123}\n...\n",
    ),
    (
        "list at the end",
        "metrics:\n  - accuracy\n  - name: top_k\n    k: 2\n# so\n",
        "metrics:\n  - accuracy\n  - name: top_k\n    k: 2\noptimizer: {lr: 0.0123}\n# so\n",
    ),
]


@pytest.mark.parametrize(
    ("part", "expected"),
    [shape[1:] for shape in SHAPES],
    ids=[shape[0] for shape in SHAPES],
)
def test_shapes(part: str, expected: str, tmp_path: Path) -> None:
    assert patched(tmp_path, NET + part) == NET + expected


def test_a_document_in_braces(tmp_path: Path) -> None:
    text = "{data: digits, architecture: {name: mlp, hidden: [4]}}\n"
    expected = "{data: digits, architecture: {name: mlp, hidden: [4]}, optimizer: {lr: 0.0123}}\n"
    assert patched(tmp_path, text) == expected


def test_an_indented_document(tmp_path: Path) -> None:
    text = "---\n  data: digits\n  architecture: {name: mlp, hidden: [4]}\n"
    assert patched(tmp_path, text) == text + "  optimizer: {lr: 0.0123}\n"


def test_a_mark_of_utf_8_stays(tmp_path: Path) -> None:
    text = "\ufeff" + NET + "optimizer: {lr: 0.1}\n"
    assert patched(tmp_path, text) == "\ufeff" + NET + "optimizer: {lr: 0.0123}\n"


@pytest.mark.parametrize(
    ("base", "upper", "expected"),
    [
        ("optimizer: adam\n", "", "optimizer: {lr: 0.0123}\n"),
        ("optimizer: {name: adam, lr: 1}\n", "", "optimizer: {lr: 0.0123}\n"),
        (
            "optimizer: {name: adam, lr: 1}\n",
            "optimizer: {beta1: 0.8}\n",
            "optimizer: {beta1: 0.8, lr: 0.0123}\n",
        ),
        ("optimizer: adam\n", "optimizer: sgd\n", "optimizer: {name: sgd, lr: 0.0123}\n"),
    ],
)
def test_what_is_extended(base: str, upper: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(NET + base)
    text = "extends: base.yaml\nactivation: elu\n"
    assert patched(tmp_path, text + upper) == text + expected


def test_what_cannot_be_kept_apart_is_refused(tmp_path: Path) -> None:
    """The word alone drops the momentum below it; with a rate it would be merged with it."""
    (tmp_path / "base.yaml").write_text(NET + "optimizer: {name: sgd, momentum: 0.9}\n")
    with pytest.raises(ConfigError, match="would not be the experiment"):
        patched(tmp_path, "extends: base.yaml\noptimizer: sgd\n")


def test_a_place_where_paths_mean_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n1,2\n")
    (tmp_path / "there").mkdir()
    text = (
        "data: {name: csv, path: t.csv, target: y, task: regression}\n"
        "architecture: {name: mlp, hidden: [4]}\n"
    )
    assert patched(tmp_path, text)
    with pytest.raises(ConfigError, match=r"there/out.yaml would not be"):
        patched(tmp_path, text, out="there/out.yaml")


def test_options_are_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(NET)
    config = read(tmp_path / "in.yaml", ["optimizer=adam"])
    assert (
        with_lr(config, 0.0123, tmp_path / "out.yaml").decode() == NET + "optimizer: {lr: 0.0123}\n"
    )


def deepened(config: Config, lr: float) -> dict[str, object]:
    plain = settings(config.experiment)
    return {**plain, "optimizer": {**plain["optimizer"], "lr": lr}}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("lr", [1.3e-05, 0.0213, 7.0])
def test_every_config_is_patched_in_one_line(path: Path, lr: float) -> None:
    config = read(path)
    out = path.with_name("patched.yaml")
    after = with_lr(config, lr, out)
    lines = changed_lines(config.text.decode(), after.decode())
    assert [line[0] for line in lines] in (["-", "+"], ["+"])
    assert f"lr: {lr:g}" in lines[-1]
    assert not out.exists()
    assert settings(interpret(after, out).experiment) == deepened(config, lr)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_is_written_out_in_full_is_patched_too(path: Path, tmp_path: Path) -> None:
    """The config.yaml of a run."""
    config = read(path)
    text = to_yaml(config.experiment)
    lines = changed_lines(text, patched(tmp_path, text, 0.0123))
    assert [line[0] for line in lines] in ([], ["-", "+"])
