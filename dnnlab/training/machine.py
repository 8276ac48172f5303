"""The machine a training runs on: device, threads, and the flags that keep bits the same."""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from dnnlab.errors import ConfigError, MachineError
from dnnlab.kernels.network import Network
from dnnlab.spec import device_word

PRODUCT_PER_THREAD = 4_000_000
"""Multiplications of one matrix product that are worth a thread of their own: about 60 µs of one
core, some ten times what it costs to wake another. Two threads gain 20 % on 32 x 784 x 300 and take
twice the time of one on 32 x 100 x 100."""


@dataclass(frozen=True)
class Machine:
    """A device and a number of CPU threads: with torch's version, what results depend on."""

    device: torch.device
    threads: int

    def describe(self) -> dict[str, Any]:
        """Returns what environment.json tells of the machine."""
        import numpy

        import dnnlab

        cuda = self.device.type == "cuda"
        return {
            "dnnlab": dnnlab.__version__,
            "code": _code(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": numpy.__version__,
            "platform": platform.platform(),
            "processor": _processor(),
            "device": str(self.device),
            "device_name": torch.cuda.get_device_name(self.device) if cuda else _processor(),
            "threads": self.threads,
            "cuda": torch.version.cuda if cuda else None,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "flush_denormal": True,
        }


def _code() -> str:
    """Returns the first digits of the SHA-256 of dnnlab's own source: a version may be edited."""
    import dnnlab

    digest, root = hashlib.sha256(), Path(dnnlab.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def usable_cores() -> int:
    """Returns how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def pick_device(wanted: str) -> torch.device:
    """Returns the device of that name. Raises ConfigError if the word names none, MachineError if
    there is none such here.
    """
    try:
        device_word(wanted)
    except ValueError as error:
        raise ConfigError("--device", message=f"--device {error}") from None
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    device = torch.device(wanted)
    if device.type == "cuda":
        index = device.index or 0
        if index >= count:
            present = ", ".join(["cpu", *(f"cuda:{i}" for i in range(count))])
            raise MachineError(
                f"training.device: {wanted}, but this machine has {present}",
                remedy="--device auto takes what is there",
            )
        return torch.device("cuda", index)
    return device


def pick_threads(wanted: int | str, network: Network, batch_size: int) -> int:
    """Returns the number of threads: as wanted, or by the product that a multiplication is in.

    That is the mean over all multiplications of one forward pass of the size of the product that
    each belongs to: 784-300-100-10 is one large product and a little more, a net of 100 layers is
    many small ones behind it. One core is left to the rest of the machine: where every core has a
    thread and another process takes one, each product waits for the thread that was put aside, and
    an update takes up to 50 times as long. The rule looks at the net and the machine, never at a
    clock, so that a resumed run gets the same.
    """
    if isinstance(wanted, int):
        return wanted
    sizes = {name: parameter.numel() for name, parameter in network.module.named_parameters()}
    products = [batch_size * each.uses * sizes[each.name] for each in network.kernels]
    typical = sum(size**2 for size in products) / max(1, sum(products))
    worthwhile = math.ceil(typical / PRODUCT_PER_THREAD)
    return max(1, min(worthwhile, usable_cores() - 1))


def settle(device: torch.device, threads: int) -> Machine:
    """Sets what the whole process computes with, and returns it."""
    torch.set_num_threads(threads)
    _keep_freed_memory()
    torch.set_flush_denormal(True)  # arithmetic on denormal numbers can be 4 times slower
    torch.set_float32_matmul_precision("highest")  # float32 means float32, not TF32
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True)
    return Machine(device, threads)


@contextmanager
def memory_of(device: torch.device) -> Iterator[None]:
    """Turns what torch says when memory runs out into a MachineError."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not known and "allocate memory" not in str(error):
            raise
        raise MachineError(
            f"the memory of {device} is too small for this training",
            remedy="a smaller net or training.batch_size; train --dry-run says how much is needed",
        ) from error


def _keep_freed_memory() -> None:
    """Tells glibc's malloc not to hand every freed gradient back to the system.

    By default it returns the top of the heap and maps large blocks anew, so that each update of a
    784-300-100-10 net pays some 250 page faults for its first layer: about a quarter of its time.
    The limits are 32 MiB for a block of its own and 512 MiB for what may be kept.
    """
    if platform.libc_ver()[0] == "glibc":
        mmap_threshold, trim_threshold = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_threshold, 32 * 2**20)
        libc.mallopt(trim_threshold, 512 * 2**20)


def seed_default_generator(device: torch.device, key: int) -> None:
    """Reseeds the generator that dropout draws from: 2 µs, where torch.manual_seed takes 300."""
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(key)
    else:
        torch.default_generator.manual_seed(key)


def _processor() -> str:
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as lines:
                for line in lines:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()
