"""The tests are tested: single lines that a promise hangs on, and the test that notices.

`python -m tests.reliability.mutants` takes each out of a copy of the project, one at a time, and
runs its test, which has to fail.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("dnnlab", "tests", "configs", "pyproject.toml", "docs", "README.md", "Makefile")
LONGEST = 600.0
"""Seconds after which a test counts as failed: some lines keep it from ending."""


@dataclass(frozen=True)
class Mutant:
    """A line of a file, what stands there instead, and the test that fails then."""

    file: str
    line: str
    """The line without indentation and comment; with `after`, the first one behind that text."""
    test: str
    instead: str = "pass"
    after: str = ""

    def apply(self, root: Path) -> None:
        """Changes the file. Raises ValueError unless exactly one line is meant."""
        path = root / self.file
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        begin = 0
        if self.after:
            begin = 1 + next(
                (at for at, line in enumerate(lines) if self.after in line), len(lines)
            )
        code = [line.partition("  #")[0].strip() for line in lines]
        found = [at for at in range(begin, len(lines)) if code[at] == self.line]
        if not found or (not self.after and len(found) > 1):
            raise ValueError(f"{self.file}: {len(found)} lines are {self.line!r}")
        indentation = lines[found[0]][: -len(lines[found[0]].lstrip())]
        lines[found[0]] = f"{indentation}{self.instead}\n"
        path.write_text("".join(lines), encoding="utf-8")

    def __str__(self) -> str:
        """The mutant as a person would look for it."""
        return f"{self.file}: {self.line!r} -> {self.instead!r} ({self.test})"


FUZZERS: tuple[str, ...] = (
    "tests/config/test_fuzz.py",
    "tests/config/test_yaml12.py",
    "tests/config/test_read.py",
    "tests/runs/test_records.py",
    "tests/reliability/test_run_bytes.py",
)
"""Property tests of text, settings and bytes that somebody else wrote."""

CRASHES = "tests/reliability/test_crashes.py::test_no_state_of_the_disk_breaks_a_promise"
SAVING = "tests/reliability/test_faults.py::test_saving"
MAKING = "tests/reliability/test_faults.py::test_making_a_run"
FSYNC = (
    "tests/reliability/test_faults.py::"
    "test_an_fsync_that_failed_is_not_believed_when_it_is_tried_again"
)
STOPPED = "tests/test_resume.py::test_interrupted_many_times"
HARMED = "tests/test_resume.py::test_stopped_with_everything_to_remember"
DIVERGED = (
    "tests/test_resume.py::test_stopped_at_every_update_before_and_after_numbers_were_not_finite"
)
RULES = "tests/methods/test_resume.py"
DISK, FOLDER = "dnnlab/disk.py", "dnnlab/runs/folder.py"
CHECKPOINTS, STATE = "dnnlab/runs/checkpoints.py", "dnnlab/training/state.py"
RESUME = "dnnlab/methods/resume.py"
SHARES = "dnnlab/training/shares.py"
FROZEN = "tests/training/test_shares.py::test_frozen_is_frozen_whatever_else_changes_weights"
GROUPS = "tests/training/test_shares.py"
ONE_NUMBER = (
    "tests/training/test_shares.py::test_one_phase_in_which_all_learn_is_no_phases_to_the_bit"
)
TRANSFER = "tests/methods/test_transfer.py"
MOVED = f"{TRANSFER}::test_a_frozen_layer_that_moves_is_a_bug_that_is_seen"
VERIFIED = f"{TRANSFER}::test_the_weights_a_run_began_with_are_verified"
SCALED = f"{TRANSFER}::test_inputs_are_scaled_as_those_that_the_weights_were_learned_from"
CURVE = "tests/methods/test_label_curve.py"
BEGUN = "tests/methods/test_study.py::test_a_training_that_was_killed_while_it_began_is_begun_again"
TENSORS = "return tensors_in(verified(run / REUSED, entry, None), run / REUSED)"
HEIR = "return prepare_for(config.experiment, examine_once, saved.scaling)"

MUTANTS: tuple[Mutant, ...] = (
    # What makes things durable, and in which order.
    Mutant(DISK, "system.fsync(descriptor)", CRASHES, after="def write_new"),
    Mutant(DISK, "system.fsync_folder(temporary)", CRASHES),
    Mutant(DISK, "system.fsync_folder(final.parent)", CRASHES),
    Mutant(DISK, "system.fsync_folder(path.parent)", CRASHES, after="def replace"),
    Mutant(DISK, "system.fsync_folder(path.parent)", CRASHES, after="def make_folder("),
    Mutant(DISK, "system.fsync(self._descriptor)", CRASHES),
    Mutant(FOLDER, "self._metrics.sync()", CRASHES),
    Mutant(FOLDER, "self._events.sync()", CRASHES),
    Mutant(FOLDER, "disk.sync_folder(path)", CRASHES, after="run.event("),
    Mutant(FOLDER, "disk.sync_folder(path)", CRASHES, after='path / "run.json", json_bytes'),
    Mutant(
        CHECKPOINTS,
        "disk.rename_folder(temporary, final)",
        CRASHES,
        "disk.system.rename(temporary, final)",
    ),
    Mutant(
        CHECKPOINTS,
        'temporary = checkpoints / f".{final.name}.{os.getpid()}.tmp"',
        CRASHES,
        "temporary = final",
    ),
    # What a kill leaves is mended.
    Mutant(DISK, "system.truncate(self._descriptor, whole)", "tests/test_disk.py"),
    Mutant(FOLDER, "checkpoints.remove_debris(run.checkpoints)", CRASHES),
    Mutant(FOLDER, "disk.remove_file(entry)", CRASHES),
    Mutant(FOLDER, "self.segment += 1", "tests/runs/test_folder.py"),
    Mutant(FOLDER, "checkpoints.set_aside(self.checkpoints, step)", "tests/runs/test_folder.py"),
    # What fails leaves nothing, and is not believed.
    Mutant(DISK, "self._broken = True", FSYNC, after="system.fsync(self._descriptor)"),
    Mutant(DISK, "self._broken = True", "tests/test_disk.py", after="def append"),
    Mutant(DISK, "remove_folder(path)", MAKING, after="def make_folder("),
    Mutant(DISK, "remove_file(temporary)", "tests/test_disk.py", after="rename(temporary, path)"),
    Mutant(CHECKPOINTS, "disk.remove_folder(temporary)", SAVING, after="except BaseException"),
    Mutant(CHECKPOINTS, "disk.remove_folder(final)", SAVING, after="except BaseException"),
    Mutant(FOLDER, "disk.remove_folder(path)", MAKING, after="return cls._filled"),
    Mutant(FOLDER, "self._metrics.close()", MAKING, after='path / "events.jsonl"'),
    # Random numbers are functions of seed and update.
    Mutant(
        "dnnlab/training/eager.py",
        'seed_default_generator(inputs.device, key(self.seed, "dropout", update))',
        STOPPED,
    ),
    Mutant(
        "dnnlab/training/order.py",
        'generator = torch.Generator().manual_seed(key(self._seed, "order", epoch))',
        STOPPED,
        "generator = torch.default_generator",
    ),
    # The state is whole.
    *(
        Mutant(STATE, line, HARMED)
        for line in (
            'self.plateau = _filled(Plateau(), numbers["plateau"])',
            'self.tally = _filled(Tally(), numbers["tally"])',
        )
    ),
    Mutant(STATE, '_copy("optimizer", tensors["optimizer"], into=self.slot_tensors())', STOPPED),
    Mutant(
        STATE,
        "self.best = Best(step, math.nan if value is None else _number(value), held)",
        HARMED,
    ),
    Mutant(STATE, 'self.rollbacks = _count(numbers.get("rollbacks", 0))', DIVERGED),
    Mutant(STATE, 'self.lr_factor = _number(numbers.get("lr_factor", 1.0))', DIVERGED),
    Mutant(STATE, 'self.skipped = _count(numbers.get("skipped", 0))', DIVERGED),
    Mutant(
        "dnnlab/training/eager.py",
        "self.state.restore(before)",
        "tests/training/test_eager.py",
        after="before = self.state.snapshot()",
    ),
    # A stop is heard, and saves.
    Mutant("dnnlab/cli/signals.py", "self.signal = number", "tests/cli/test_signals.py"),
    Mutant(
        "dnnlab/methods/train.py",
        "self.save()",
        "tests/methods/test_train.py::test_a_stop_is_written_down",
        after="and stop():",
    ),
    # What differs is named.
    Mutant(RESUME, "_same_data(path, session)", RULES),
    Mutant(RESUME, "refuse_changes(found, config, terms)", RULES),
    Mutant(RESUME, "_check_length(before, config, session, found, terms)", RULES),
    Mutant(RESUME, "notes += _lost(path, state.step)", RULES),
    Mutant(RESUME, 'state.ended = ""', RULES),
    Mutant(RESUME, "folder.set_result_aside()", RULES),
    Mutant(RESUME, "folder.close()", RULES, after="except BaseException"),
    Mutant(
        "dnnlab/methods/train.py",
        "check_runs_folder(runs, 0)",
        "tests/reliability/test_faults.py",
    ),
    # One writer, and readers that see through a dead one.
    Mutant(
        "dnnlab/runs/lock.py",
        "return disk.lock(run / LOCK, to_json(holder))",
        "tests/runs/test_folder.py",
        "import filelock; return filelock.SoftFileLock(run / str(os.getpid()))",
    ),
    Mutant("dnnlab/runs/listing.py", 'return "killed"', "tests/runs/test_listing.py"),
    # No byte is believed unseen.
    Mutant(
        CHECKPOINTS,
        'if digest != entry.get("sha256"):',
        "tests/runs/test_checkpoints.py",
        "if False:",
    ),
    Mutant(
        CHECKPOINTS,
        "if strangers := set(files) - allowed:",
        "tests/runs/test_checkpoints.py",
        "if strangers := set():",
    ),
    # What is frozen stays frozen, and what is reused is the source's.
    Mutant(SHARES, "parameters[name].requires_grad_(learns)", FROZEN),
    Mutant(SHARES, "part.eval()", FROZEN),
    Mutant(SHARES, "self._state.forget(self._optimizer)", GROUPS),
    Mutant(SHARES, "rate = lr * group.factor", GROUPS, "rate = lr"),
    Mutant(SHARES, "slot.copy_(value)", ONE_NUMBER),
    Mutant(
        "dnnlab/training/eager.py",
        "if weights.requires_grad:",
        FROZEN,
        "if True:",
        "in self.bounded",
    ),
    Mutant("dnnlab/methods/train.py", "session.check_frozen()", MOVED),
    Mutant(STATE, "tensor.copy_(self.given[name])", TRANSFER, "tensor.zero_()"),
    Mutant(
        "dnnlab/runs/heritage.py",
        TENSORS,
        VERIFIED,
        "return tensors_in((run / REUSED).read_bytes(), run)",
    ),
    Mutant(RESUME, HEIR, SCALED, "return None"),
    Mutant("dnnlab/methods/study.py", "experiment = _with_draw(experiment, seed)", CURVE),
    Mutant("dnnlab/runs/study.py", "disk.remove_folder(path)", BEGUN, after="def member"),
)


def survivors(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Returns the mutants that their test did not notice. Raises AssertionError if a test fails
    without any.
    """
    found = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, root / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, root / name)
        tests = sorted({mutant.test for mutant in mutants})
        assert _passes(root, *tests), "the tests fail without any mutant"
        for mutant in mutants:
            started, path = time.monotonic(), root / mutant.file
            content = path.read_bytes()
            mutant.apply(root)
            survived = _passes(root, mutant.test)
            path.write_bytes(content)
            word = "SURVIVED" if survived else "caught"
            print(f"{word} in {time.monotonic() - started:.0f} s: {mutant}", flush=True)
            found += [mutant] if survived else []
    return found


def _passes(root: Path, *tests: str) -> bool:
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-n", "0"]
    try:
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider", *tests],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    assert done.returncode in (0, 1, 2), f"{tests}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.returncode == 0


if __name__ == "__main__":
    words = sys.argv[1:]
    chosen = [each for each in MUTANTS if not words or any(word in str(each) for word in words)]
    left = survivors(chosen)
    print(f"{len(chosen) - len(left)} of {len(chosen)} mutants caught")
    sys.exit(1 if left else 0)
