from __future__ import annotations

import pytest
import torch

from dnnlab.choices.datasets import Signature
from dnnlab.errors import MachineError
from dnnlab.kernels.network import Network
from dnnlab.training.machine import (
    pick_device,
    pick_threads,
    seed_default_generator,
    settle,
    usable_cores,
)
from tests.support import experiment_of


def network(hidden: str) -> Network:
    text = f"data: fashion_mnist\narchitecture: {{name: mlp, hidden: {hidden}}}"
    return experiment_of(text).network(Signature((28, 28), 10, "classification"))


def test_threads_follow_the_typical_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dnnlab.training.machine.usable_cores", lambda: 16)
    assert pick_threads("auto", network("[300, 100]"), 32) == 2
    assert pick_threads("auto", network("[300, {units: 100, repeat: 99}]"), 32) == 1
    assert pick_threads("auto", network("[4000, 4000]"), 512) == 15  # of 16
    assert pick_threads("auto", network("[]"), 1) == 1
    assert pick_threads(3, network("[]"), 1) == 3
    monkeypatch.setattr("dnnlab.training.machine.usable_cores", lambda: 1)
    assert pick_threads("auto", network("[300, 100]"), 32) == 1


def test_devices_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto") == torch.device("cpu")
    assert pick_device("cpu") == torch.device("cpu")
    with pytest.raises(MachineError, match="this machine has cpu") as caught:
        pick_device("cuda")
    assert caught.value.remedy == "--device auto takes what is there"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("auto") == pick_device("cuda") == torch.device("cuda", 0)
    assert pick_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(MachineError, match="cuda:9, but this machine has cpu, cuda:0, cuda:1"):
        pick_device("cuda:9")


def test_settling_flushes_denormals_and_is_described() -> None:
    machine = settle(torch.device("cpu"), 1)
    assert torch.get_num_threads() == 1
    assert (torch.tensor(1e-40) * 1.0).item() == 0.0
    about = machine.describe()
    assert about["torch"] == torch.__version__
    assert (about["device"], about["threads"], about["cuda"]) == ("cpu", 1, None)
    assert usable_cores() >= 1


def test_reseeding_repeats_dropout() -> None:
    def mask() -> list[float]:
        seed_default_generator(torch.device("cpu"), 2**63 + 5)
        return torch.nn.functional.dropout(torch.ones(50), 0.5).tolist()

    assert mask() == mask()
