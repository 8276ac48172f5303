"""Only `disk.py` changes the disk, and nothing runs what data say: seen in the source itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dnnlab

ROOT = Path(dnnlab.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
OF_OS = {
    *("chmod", "chown", "fsync", "ftruncate", "link", "makedirs", "mkdir", "mkfifo", "remove"),
    *("removedirs", "rename", "renames", "replace", "rmdir", "symlink", "truncate", "unlink"),
    *("utime", "write"),
}
OF_PATHS = {
    *("chmod", "hardlink_to", "mkdir", "rename", "rmdir", "symlink_to", "touch", "unlink"),
    *("write_bytes", "write_text"),
}
OF_LIBRARIES = {"save", "save_file", "savez", "savez_compressed", "savetxt", "savefig", "tofile"}
WRITING = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND", "O_TRUNC"}
HARMLESS = {"shutil.disk_usage", "shutil.get_terminal_size"}
RUNS_DATA = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "runpy", "code"}
CALLS_THAT_RUN_DATA = {"eval", "exec", "compile", "__import__", "importlib.import_module"}
UNPICKLES = {"choices/datasets/pickled.py"}
"""With every name replaced by an inert stand-in: see docs/decisions/0010."""

ALLOWED: dict[str, set[str]] = {
    "cli/shell.py": {"tempfile.NamedTemporaryFile"},  # the traceback of our own bug
    "cli/signals.py": {"os.write"},  # to the terminal, from a signal handler
    "cli/streams.py": {"os.open", "os.write"},  # the terminal, or /dev/null in its place
    "choices/datasets/downloads.py": {"tempfile.TemporaryDirectory"},
    "methods/doctor.py": {"tempfile.TemporaryDirectory"},
    "methods/predict.py": {"np.savez_compressed"},  # into memory
    "methods/verify_resume.py": {"tempfile.TemporaryDirectory"},
    "runs/checkpoints.py": {"safetensors.torch.save"},  # into memory
    "runs/heritage.py": {"safetensors.torch.save"},  # into memory
}
"""What else a file may do, and why that is no way around `disk.py`."""
MAY_IMPORT_BY_NAME = {"spec.py"}
"""Members of our own families, by names that stand in our own source."""


def dotted(node: ast.expr) -> str:
    """Returns `a.b.c` for a chain of names, with the last part alone where the first is no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def names_of_imports(tree: ast.Module) -> dict[str, str]:
    """Returns what `from tempfile import TemporaryDirectory` and its like call things."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "shutil", "tempfile")
        for alias in node.names
    }


def writes(path: Path) -> Iterator[str]:
    """Yields every call in a file that changes the disk."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = names_of_imports(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        name = imported.get(name, name)
        first, _, rest = name.partition(".")
        last = name.rpartition(".")[2]
        of_a_module = first == "os" and rest in OF_OS or first in ("shutil", "tempfile")
        of_a_path = isinstance(node.func, ast.Attribute) and (
            last in OF_PATHS
            or (last == "replace" and len(node.args) == 1 and not node.keywords)
            or last in OF_LIBRARIES
            and first in ("torch", "np", "numpy", "safetensors", "plt", "json", "yaml")
        )
        if (of_a_module and name not in HARMLESS) or of_a_path or opens_for_writing(node, last):
            yield name


def safe_arrays(call: ast.Call) -> bool:
    """Whether NumPy is told to refuse pickles, as it also does by itself."""
    return any(k.arg == "allow_pickle" and ast.unparse(k.value) == "False" for k in call.keywords)


def opens_for_writing(call: ast.Call, last: str) -> bool:
    """Whether it is `open(path, "w")` or `path.open("w")`, in any spelling of the mode."""
    if last != "open":
        return False
    if dotted(call.func) == "os.open":
        return bool(set(re.findall(r"O_\w+", ast.unparse(call))) & WRITING)
    given = [*call.args, *(k.value for k in call.keywords if k.arg == "mode")]
    modes = [each.value for each in given if isinstance(each, ast.Constant)]
    return any(isinstance(mode, str) and set(mode) & set("wax+") for mode in modes)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_disk_writes(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    if name == "disk.py":
        return
    assert set(writes(path)) <= ALLOWED.get(name, set())


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_what_data_say(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = RUNS_DATA & {alias.name.partition(".")[0] for alias in node.names}
            assert not found or name in UNPICKLES
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in RUNS_DATA or name in UNPICKLES
        elif isinstance(node, ast.Call) and name not in MAY_IMPORT_BY_NAME:
            called = dotted(node.func)
            assert called not in ("torch.load", "np.load") or safe_arrays(node), called
            assert called not in CALLS_THAT_RUN_DATA, called


def test_every_exception_is_used() -> None:
    for name, allowed in ALLOWED.items():
        assert allowed <= set(writes(ROOT / name)), name


@pytest.mark.parametrize(
    "line",
    [
        "open(path, 'w')",
        "path.open(mode='ab')",
        "Path(a).replace(b)",
        "path.write_bytes(b'')",
        "os.makedirs(path)",
        "from shutil import rmtree\nrmtree(path)",
        "torch.save(x, path)",
    ],
)
def test_a_write_is_seen(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(line)
    assert list(writes(tmp_path / "x.py"))


@pytest.mark.parametrize("line", ["open(path, 'rb')", "text.replace('a', 'b')", "path.read_text()"])
def test_a_read_is_none(line: str, tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(line)
    assert not list(writes(tmp_path / "x.py"))
