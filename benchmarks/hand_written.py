"""The work of `dnnlab train configs/fashion_mlp.yaml`, as one would write it in plain PyTorch.

    python benchmarks/hand_written.py FOLDER

FOLDER holds the four IDX files of Fashion-MNIST, gzipped. It trains 784-300-100-10 for 5 epochs,
evaluates the validation split after each, and all splits at the end; it keeps no record and saves
nothing. `whole_run.py` times it against dnnlab.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

SEED, EPOCHS, BATCH, LR = 42, 5, 32, 0.01


def read_idx(path: Path, head: int) -> np.ndarray:
    """Returns the bytes of an IDX file after its head."""
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=head)


def load(folder: Path, split: str) -> tuple[np.ndarray, Tensor]:
    """Returns images (N, 784) and labels (N,)."""
    images = read_idx(folder / f"{split}-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    labels = read_idx(folder / f"{split}-labels-idx1-ubyte.gz", 8)
    return images, torch.from_numpy(labels.astype(np.int64))


@torch.no_grad()
def evaluate(model: nn.Module, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
    """Returns mean loss and accuracy."""
    model.eval()
    loss, hits = 0.0, 0
    for start in range(0, len(targets), 10_000):
        x, y = inputs[start : start + 10_000], targets[start : start + 10_000]
        outputs = model(x)
        loss += cross_entropy(outputs, y, reduction="sum").item()
        hits += int((outputs.argmax(1) == y).sum())
    model.train()
    return loss / len(targets), hits / len(targets)


def main() -> None:
    """Trains and prints what came out."""
    folder = Path(sys.argv[1])
    torch.manual_seed(SEED)
    images, labels = load(folder, "train")
    mean = images[5000:].mean(0)
    sd = images[5000:].std(0)
    inputs = torch.from_numpy(((images - mean) / sd).astype(np.float32))
    test_images, test_targets = load(folder, "t10k")
    test_inputs = torch.from_numpy(((test_images - mean) / sd).astype(np.float32))
    splits = {
        "train": (inputs[5000:], labels[5000:]),
        "validation": (inputs[:5000], labels[:5000]),
        "test": (test_inputs, test_targets),
    }
    layers = [nn.Linear(784, 300), nn.Linear(300, 100), nn.Linear(100, 10)]
    for layer in layers:
        nn.init.zeros_(layer.bias)
    for layer in layers[:2]:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.xavier_uniform_(layers[2].weight)
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, fused=True)
    x, y = splits["train"]
    for epoch in range(1, EPOCHS + 1):
        order = torch.randperm(len(y))
        for start in range(0, len(y), BATCH):
            rows = order[start : start + BATCH]
            loss = cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        report(f"epoch {epoch} validation", evaluate(model, *splits["validation"]))
    for name, split in splits.items():
        report(name, evaluate(model, *split))


def report(name: str, measured: tuple[float, float]) -> None:
    """Prints a loss and an accuracy."""
    loss, accuracy = measured
    print(f"{name}: loss {loss:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
