"""How the runs of a folder stand, read without disturbing whoever writes them."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

from dnnlab.errors import RunError
from dnnlab.runs.lock import is_taken
from dnnlab.runs.names import RUN, STUDY, run_folders
from dnnlab.runs.records import measurements, read_json


def list_runs(runs: Path) -> list[dict[str, Any]]:
    """Returns one entry per run or study, the oldest first; what cannot be read is said in its
    state.
    """
    return [_entry(path) for path in run_folders(runs, (RUN, STUDY))]


def _entry(path: Path) -> dict[str, Any]:
    entry: dict[str, Any] = {"run": path.name, "path": str(path), "created": None, "step": 0}
    entry |= {"state": "unknown", "test": None, "best": None, "seconds": None, "trainings": None}
    try:
        if (path / STUDY).exists():
            return entry | _of_study(path)
        entry["created"] = read_json(path / "run.json").get("created")
        status = read_json(path / "status.json")
        entry["state"], entry["step"] = _state(path, status), int(status["step"])
        if entry["state"] == "finished":
            result = read_json(path / "result.json")
            entry["test"], entry["best"] = result["metrics"]["test"], result["best"]
            entry["seconds"] = result["seconds"]["total"]
        elif rows := measurements(path):
            entry["step"] = max(entry["step"], rows[-1]["step"])
            entry["seconds"] = rows[-1]["seconds"]
    except RunError as error:
        entry["state"] = f"unreadable: {error}"
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        entry["state"] = f"unreadable: {error!r}"
    return entry


def _of_study(path: Path) -> dict[str, Any]:
    """Returns how a study stands: how many of its trainings are finished."""
    about = read_json(path / STUDY)
    total = len(about["arms"]) * len(about["seeds"])
    done = sum((run / "result.json").exists() for run in run_folders(path / "runs"))
    state = "interrupted"
    if (path / "result.json").exists():
        state = "finished"
    elif is_taken(path):
        state = "running"
    trainings = {"done": done, "of": total}
    return {"created": about.get("created"), "state": state, "trainings": trainings}


def _state(path: Path, status: dict[str, Any]) -> str:
    """Returns the state, seeing through a writer that was killed while it said 'running'."""
    if (path / "result.json").exists():  # whatever became of its writer afterwards
        return "finished"
    state = str(status.get("state"))
    here = status.get("host") == platform.node()
    if state == "running" and here and not is_taken(path):
        return "killed"
    return state
