"""Milliseconds per update of dnnlab's engine and of a hand-written PyTorch loop, in one run.

    python benchmarks/train_step.py [--rounds 5] [--json]

The loop is what a careful person writes: tensors in memory, one index per batch, torch's fused SGD,
no bookkeeping at all. dnnlab records loss, hits and gradient norm of every update besides. Both
train the same net from the same weights on the same batches; the final losses are printed, so that
nobody is fast by computing something else. Both run in one process with dnnlab's number of threads
and its memory settings, and take turns within a round, since machines are shared and noisy; what
counts is the median of the ratios of the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from dnnlab.config.read import validate
from dnnlab.config.yaml12 import parse
from dnnlab.experiment import Experiment
from dnnlab.training.data import Data, prepare
from dnnlab.training.eager import EagerEngine
from dnnlab.training.machine import pick_threads, settle
from dnnlab.training.order import Order
from dnnlab.training.state import State

NETS = {
    "784-300-100-10 relu, sgd": "hidden: [300, 100]}\nactivation: relu\noptimizer: {lr: 1e-2",
    "784-300-100-10 relu, nesterov": (
        "hidden: [300, 100]}\nactivation: relu\noptimizer: {lr: 1e-2, momentum: 0.9, nesterov: true"
    ),
    "selu100, sgd": (
        "hidden: [300, {units: 100, repeat: 99}]}\nactivation: selu\noptimizer: {lr: 1e-3"
    ),
    "selu100, nesterov": (
        "hidden: [300, {units: 100, repeat: 99}]}\nactivation: selu\n"
        "optimizer: {lr: 1e-4, momentum: 0.9, nesterov: true"
    ),
}
UPDATES = {"784-300-100-10": 800, "selu100": 120}
"""Of each loop in a round."""
TURNS = 10
"""In a round the two take turns, so that what else the machine does falls on both."""


def experiment_of(net: str) -> Experiment:
    """Returns the experiment of a row of NETS, on Fashion-MNIST at batch 32."""
    text = (
        "data: {name: fashion_mnist, validation: {first: 5000}}\n"
        f"architecture: {{name: mlp, {net}, name: sgd}}\n"
    )
    document = parse(text.encode(), subject=net)
    return validate(document, subject=net, folder=Path())


def dnnlab_loop(experiment: Experiment, data: Data) -> Callable[[int], float]:
    """Returns a function that applies n more updates with dnnlab's engine; it returns the loss."""
    state = fresh(experiment, data)
    engine = EagerEngine(experiment, experiment.plan(len(data.train)), state, data.train)

    def advance(updates: int) -> float:
        return engine.advance(state.step + updates).losses[-1]

    return advance


def hand_written_loop(experiment: Experiment, data: Data) -> Callable[[int], float]:
    """Returns the same for a loop as one would write it for this net alone."""
    start = fresh(experiment, data)
    layers: list[torch.nn.Module] = [torch.nn.Flatten()]
    tensors = start.network_tensors()
    kernels = [kernel.name.removesuffix(".weight") for kernel in start.network.kernels]
    activation = {"relu": torch.nn.ReLU, "selu": torch.nn.SELU}[experiment.activation.name]
    for name in kernels:
        weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.data.copy_(weight)
        layer.bias.data.copy_(bias)
        layers += [layer] if name == "output" else [layer, activation()]
    model = torch.nn.Sequential(*layers)
    sgd = experiment.optimizer
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=sgd.lr,
        momentum=sgd.own_momentum or 0.0,
        nesterov=getattr(sgd, "nesterov", False),
        fused=True,
    )
    inputs, targets = data.train.inputs, data.train.targets
    order = Order(experiment.plan(len(data.train)), experiment.training.seed, inputs.device)
    step = 0

    def advance(updates: int) -> float:
        nonlocal step
        loss = torch.zeros(())
        for _ in range(updates):
            rows = order.rows(step)
            loss = cross_entropy(model(inputs[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            step += 1
        return loss.item()

    return advance


def fresh(experiment: Experiment, data: Data) -> State:
    """Returns the state before the first update."""
    return State.fresh(
        experiment.network(data.signature),
        experiment.optimizer,
        seed=experiment.training.seed,
        device=torch.device("cpu"),
        dtype=torch.float32,
    )


def compare(name: str, net: str, data: Data, rounds: int) -> dict[str, object]:
    """Times both in turn and returns medians, ratios and final losses."""
    experiment = experiment_of(net)
    network = experiment.network(data.signature)
    threads = pick_threads("auto", network, experiment.training.batch_size)
    settle(torch.device("cpu"), threads)
    loops = {
        "dnnlab": dnnlab_loop(experiment, data),
        "hand-written": hand_written_loop(experiment, data),
    }
    updates = UPDATES[name.split()[0].rstrip(",")]
    losses = {who: loop(20) for who, loop in loops.items()}
    milliseconds: dict[str, list[float]] = {who: [] for who in loops}
    for _ in range(rounds):
        spent = dict.fromkeys(loops, 0.0)
        for turn in range(TURNS):
            for who in sorted(loops, reverse=turn % 2 == 1):
                started = time.perf_counter()
                losses[who] = loops[who](updates // TURNS)
                spent[who] += time.perf_counter() - started
        for who, seconds in spent.items():
            milliseconds[who].append(seconds / updates * 1e3)
    pairs = zip(milliseconds["dnnlab"], milliseconds["hand-written"], strict=True)
    ratios = [ours / theirs for ours, theirs in pairs]
    return {
        "net": name,
        "threads": threads,
        "milliseconds": {who: statistics.median(times) for who, times in milliseconds.items()},
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "losses": losses,
    }


def main() -> None:
    """Prints one line per net."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    data = prepare(experiment_of(NETS["selu100, sgd"]).data)
    rows = []
    for name, net in NETS.items():
        row = compare(name, net, data, options.rounds)
        rows.append(row)
        if not options.json:
            times, losses = row["milliseconds"], row["losses"]
            assert isinstance(times, dict)
            assert isinstance(losses, dict)
            print(
                f"{name:30} {times['dnnlab']:7.3f} ms  hand-written "
                f"{times['hand-written']:7.3f} ms  ratio {row['ratio']:.3f}  threads "
                f"{row['threads']}  losses {losses['dnnlab']:.5f} {losses['hand-written']:.5f}",
                flush=True,
            )
    if options.json:
        print(json.dumps({"torch": torch.__version__, "rows": rows}))


if __name__ == "__main__":
    main()
