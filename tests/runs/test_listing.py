from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from dnnlab.runs import lock
from dnnlab.runs.listing import list_runs


def make(runs: Path, name: str, status: dict[str, Any] | None, result: object = None) -> None:
    folder = runs / name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"created": "2026-01-01T00:00:00+00:00"}))
    stamp = len(list(runs.iterdir()))
    os.utime(folder / "run.json", (stamp, stamp))
    if status is not None:
        (folder / "status.json").write_text(json.dumps(status))
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result))


def test_every_run_is_listed_whatever_its_state(tmp_path: Path) -> None:
    here = platform.node()
    result = {
        "metrics": {"test": {"loss": 0.5}},
        "best": {"step": 5, "metric": "loss", "value": 0.4},
        "seconds": {"total": 3.5},
    }
    make(tmp_path, "finished", {"state": "finished", "step": 10}, result)
    make(tmp_path, "running", {"state": "running", "step": 4, "pid": os.getpid(), "host": here})
    make(tmp_path, "killed", {"state": "running", "step": 4, "pid": 2**22 + 1, "host": here})
    make(tmp_path, "elsewhere", {"state": "running", "step": 4, "pid": 1, "host": "other"})
    make(tmp_path, "diverged", {"state": "diverged", "step": 3})
    make(tmp_path, "empty", None)
    make(tmp_path, "ended as it died", {"state": "running", "step": 4, "host": here}, result)
    make(tmp_path, "broken", {"state": "finished", "step": 10}, {"metrics": {}})
    rows = '{"segment": 0, "step": 7, "split": "train", "seconds": 2.5}\n{"torn'
    (tmp_path / "killed" / "metrics.jsonl").write_text(rows)
    with lock.take(tmp_path / "running"):
        found = {entry["run"]: entry for entry in list_runs(tmp_path)}
    states = {name: entry["state"].split(":")[0] for name, entry in found.items()}
    assert states == {
        "finished": "finished",
        "running": "running",
        "killed": "killed",
        "elsewhere": "running",
        "diverged": "diverged",
        "empty": "unreadable",
        "broken": "unreadable",
        "ended as it died": "finished",
    }
    assert found["finished"]["test"] == {"loss": 0.5}
    assert found["finished"]["seconds"] == 3.5
    assert (found["killed"]["step"], found["killed"]["seconds"]) == (7, 2.5)


def test_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
