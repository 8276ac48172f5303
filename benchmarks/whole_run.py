"""Seconds of a whole `dnnlab train configs/fashion_mlp.yaml`, against a script that does the work.

    python benchmarks/whole_run.py [--rounds 5]

Each is a process of its own: start-up, imports, reading the data, 5 epochs, the same evaluations.
dnnlab writes its records and checkpoints besides. The script is `hand_written.py`, with torch's own
number of threads. Rounds alternate; what counts is the median of the ratios within a round.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dnnlab.choices.datasets.images import IDX_FILES, FashionMnist

HERE = Path(__file__).parent


def seconds_of(command: list[str]) -> float:
    """Runs a command to its end and returns the seconds it took."""
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Prints one line per round and the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    places = [p for p in FashionMnist().places() if (p / f"{IDX_FILES[0]}.gz").exists()]
    if not places:
        sys.exit("the gzipped files of Fashion-MNIST are not on this machine")
    config = str(HERE.parent / "configs" / "fashion_mlp.yaml")
    script = [sys.executable, str(HERE / "hand_written.py"), str(places[0])]
    ratios = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as runs:
            ours = seconds_of([sys.executable, "-m", "dnnlab", "train", config, "--runs", runs])
        theirs = seconds_of(script)
        ratios.append(ours / theirs)
        print(f"dnnlab {ours:6.2f} s  hand-written {theirs:6.2f} s  ratio {ratios[-1]:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
