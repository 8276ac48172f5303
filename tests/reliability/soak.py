"""The long test of what docs/reliability.md promises: `make soak`. Prints its figures.

Everything that `make test` does in seconds is done here for the better part of an hour: kills of
writers, of trainings of each architecture, normalization, optimizer and schedule, and of real
`dnnlab` processes; every call of the disk refused in turn; fuzzing; and every mutant.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dnnlab.runs.records import read_rows
from tests.reliability import crashes, mutants, test_crashes, test_faults
from tests.reliability.kills import kill_writers, train_through
from tests.reliability.systems import Failing, Noting, on, until_none_fails
from tests.support import config_file, finished_run, session_of
from tests.test_resume import differences
from tests.variations import CHOICES, text_of

USUAL_CASES = 1500
"""Of all fuzzers together in `make test`, roughly."""
FAMILIES = ("architecture", "normalization", "optimizer", "schedule")
ROOT = Path(__file__).parents[2]
Figure = tuple[str, str, bool]
"""What was done, how much of it, and whether it went as promised."""


def crash_states(folder: Path) -> Iterator[Figure]:
    """Cuts the power after every disk call of a run, with more states than the test draws."""
    state = session_of(test_crashes.TEXT, folder=folder).state
    expected = {}
    for step in (2, 4, 6, 8, 10):
        test_crashes.move(state, step)
        expected[step] = state.weights.clone()
    state = session_of(test_crashes.TEXT, folder=folder).state
    system = Noting(folder)
    with on(system):
        test_crashes.train_a_little(system, state, folder)
    seen: set[str] = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crashes, "ALL_SUBSETS", 9)
        patch.setattr(crashes, "DRAWN", 100)
        found = test_crashes.replay(system.calls, expected, seen)
    yield "crash states replayed", f"{len(seen):,}", True
    yield "violations", str(len(found)), not found


def faults(folder: Path) -> Iterator[Figure]:
    """Refuses every disk call of making a run, saving, and a whole training."""
    count = 0

    def counting(make: Callable[[int], Failing], attempt: Callable[[Failing], None]) -> list[str]:
        nonlocal count
        failed = until_none_fails(make, attempt)
        count += len(failed)
        return failed

    whole = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_faults, "until_none_fails", counting)
        patch.setattr(test_faults, "EVERY", 1)
        for kind in test_faults.KINDS:
            state = session_of(test_crashes.TEXT, folder=folder).state
            places = [folder / f"{kind}-{n}" for n in range(3)]
            for place in places:
                place.mkdir()
            try:
                test_faults.test_making_a_run(kind, places[0])
                test_faults.test_saving(kind, places[1], state)
                test_faults.test_a_training_and_its_resumption(kind, places[2])
            except AssertionError as error:
                print(f"  {kind}: {error}")
                whole = False
    yield "disk calls refused", f"{count:,}", whole


def writer_kills(folder: Path, times: int, chance: random.Random) -> Iterator[Figure]:
    """Kills a process that does nothing but save."""
    state = session_of(test_crashes.TEXT, folder=folder).state
    figures = kill_writers(folder, state, times, chance)
    yield "writers killed", str(figures.kills), True
    yield "checkpoints they had called saved", f"{figures.acknowledged:,}", True
    yield "checkpoints or rows lost", str(figures.lost), figures.lost == 0


def training_kills(folder: Path, chance: random.Random) -> Iterator[Figure]:
    """Kills and stops a training of each architecture, normalization, optimizer and schedule."""
    counts = {signal.SIGKILL: 0, signal.SIGTERM: 0}
    different = []
    for number, (family, name, lines) in enumerate(CHOICES):
        if family not in FAMILIES:
            continue
        place = folder / str(number)
        place.mkdir()
        text = text_of(lines, place)
        whole = finished_run(place, text, name="whole")
        config = config_file(place, text)
        for kind in counts:
            path, hits = train_through(
                config,
                place / "runs",
                kind.name,
                times=3,
                number=kind,
                looks=8,
                chance=chance,
            )
            counts[kind] += hits
            if unlike := differences(whole, path):
                different.append(f"{family} {name} {kind.name}: {unlike}")
    yield "trainings hit by SIGKILL", str(counts[signal.SIGKILL]), True
    yield "trainings hit by SIGTERM", str(counts[signal.SIGTERM]), True
    yield "that did not end with the same bits", str(len(different)), not different
    for each in different:
        print(f"  {each}")


def command_kills(folder: Path, times: int, chance: random.Random) -> Iterator[Figure]:
    """Kills `dnnlab train configs/digits.yaml` at random moments, and resumes it each time."""
    runs = folder / "runs"
    config = str(ROOT / "configs" / "digits.yaml")

    def command(*words: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, "-c", "from dnnlab.cli.main import main; main()"]
        return subprocess.Popen(
            [*program, *words, "--runs", str(runs), "--quiet"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )

    def times_opened(name: str) -> int:
        """Returns how often a process has begun or gone on with the run."""
        events = read_rows(runs / name / "events.jsonl")
        return sum(row["event"] in ("started", "resumed") for row in events)

    assert command("train", config, "--name", "whole").wait() == 0
    for number in (signal.SIGKILL, signal.SIGTERM):
        name, hits = number.name, 0
        for _ in range(times):
            begun = (runs / name / "run.json").exists()
            if not begun and (runs / name).exists():
                (runs / name).rename(runs / f"{name}-{time.monotonic_ns()}")
            before = times_opened(name)
            process = command(*(["resume", name] if begun else ["train", config, "--name", name]))
            while times_opened(name) == before and process.poll() is None:
                time.sleep(0.002)
            time.sleep(chance.uniform(0.0, 0.08))  # the whole training takes about a second
            process.send_signal(number)
            hits += process.wait() in (-number, 143)
            if (runs / name / "result.json").exists():
                break
        if not (runs / name / "result.json").exists():
            assert command("resume", name).wait() == 0
        unlike = differences(runs / "whole", runs / name)
        yield f"dnnlab train configs/digits.yaml hit by {name}", str(hits), True
        yield "differences at its end", str(len(unlike)), not unlike


def fuzz_cases(cases: int) -> Iterator[Figure]:
    """Runs the property tests with so many cases in all."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "--hypothesis-show-statistics"]
        + ["-m", "hypothesis"]
        + ["-p", "no:cacheprovider", *mutants.FUZZERS],
        cwd=ROOT,
        env={**os.environ, "DNNLAB_FUZZ_TIMES": str(math.ceil(cases / USUAL_CASES))},
        capture_output=True,
        text=True,
        check=False,
    )
    counts = re.findall(r"(\d+) passing, (\d+) failing", done.stdout)
    tried = sum(int(passing) for passing, _ in counts)
    failed = sum(int(failing) for _, failing in counts)
    if done.returncode:
        print(done.stdout[-5000:])
    yield "fuzz cases", f"{tried + failed:,}", tried >= cases
    yield "that ended in anything but success or a refusal", str(failed), done.returncode == 0


def mutants_caught() -> Iterator[Figure]:
    """Takes out one line at a time."""
    survivors = mutants.survivors(mutants.MUTANTS)
    total = len(mutants.MUTANTS)
    yield "mutants caught", f"{total - len(survivors)} of {total}", not survivors
    for each in survivors:
        print(f"  survived: {each}")


def main() -> None:
    """Does all of it, or the parts that are named, and exits with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description="Kill, fill, fuzz and mutate dnnlab for long.")
    parser.add_argument("--kills", type=int, default=200, help="of writers")
    parser.add_argument("--cases", type=int, default=20_000, help="of all fuzzers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("parts", nargs="*", help="crashes faults writers trainings commands ...")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    parts: dict[str, Callable[[Path], Iterator[Figure]]] = {
        "crashes": crash_states,
        "faults": faults,
        "writers": lambda folder: writer_kills(folder, given.kills, chance),
        "trainings": lambda folder: training_kills(folder, chance),
        "commands": lambda folder: command_kills(folder, 10, chance),
        "fuzz": lambda _: fuzz_cases(given.cases),
        "mutants": lambda _: mutants_caught(),
    }
    kept = True
    for name in given.parts or parts:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            figures = list(parts[name](Path(folder)))
        print(f"{name} ({time.monotonic() - started:.0f} s)", flush=True)
        for what, how_much, as_promised in figures:
            print(f"  {how_much:>12}  {what}{'' if as_promised else '   <-- BROKEN'}", flush=True)
            kept = kept and as_promised
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
