"""One small training per choice: what the walks over all members and the resume tests train.

A new choice gets a line here; a test fails until it has one.
"""

from __future__ import annotations

from pathlib import Path

START = """
data: {data}
architecture: {{name: mlp, hidden: [6, 5]}}
training: {{epochs: {{updates: 14}}, batch_size: 40, threads: 1, evaluate_every: {{updates: 4}},
  checkpoint_every: {{updates: 5}}, precision: {precision}}}
"""

MOMENTUM = "optimizer: {name: sgd, lr: 0.05, momentum: 0.9, nesterov: true}"

CHOICES: list[tuple[str, str, str]] = [
    ("data", "digits", "data: {name: digits, validation: {random: 150}, standardize: range}"),
    ("data", "diabetes", "data: diabetes"),
    ("data", "fashion_mnist", ""),
    ("data", "csv", "data: {name: csv, path: table.csv, target: kind, task: classification}"),
    ("architecture", "mlp", "architecture: {name: mlp, hidden: [{units: 4, repeat: 3}]}"),
    ("initializer", "auto", "initializer: auto"),
    ("initializer", "glorot_uniform", "initializer: glorot_uniform"),
    ("initializer", "he_normal", "initializer: he_normal"),
    ("initializer", "lecun_normal", "initializer: lecun_normal"),
    ("initializer", "variance_scaling", "initializer: {name: variance_scaling, mode: fan_avg}"),
    ("activation", "relu", "activation: relu"),
    ("activation", "elu", "activation: {name: elu, alpha: 0.5}"),
    ("activation", "selu", "activation: selu"),
    ("normalization", "none", "normalization: none"),
    ("normalization", "batch", "normalization: {name: batch, input: true}"),
    ("normalization", "batch", "normalization: {name: batch, place: before_activation}"),
    ("initializer", "zeros", "initializer: {name: zeros}\nbias_initializer: zeros"),
    ("normalization", "layer", "normalization: layer"),
    ("normalization", "group", "normalization: {name: group, groups: 1}"),
    ("optimizer", "sgd", "optimizer: {name: sgd, lr: 0.1}"),
    ("optimizer", "sgd", MOMENTUM),
    ("optimizer", "nadam", "optimizer: {name: nadam, lr: 0.01}"),
    ("schedule", "constant", "schedule: constant"),
    ("schedule", "one_cycle", f"{MOMENTUM}\nschedule: one_cycle"),
    ("schedule", "one_cycle", "optimizer: nadam\nschedule: {name: one_cycle, shape: cosine}"),
    (
        "schedule",
        "performance",
        "optimizer: {name: sgd, lr: 1e-4}\n"
        "schedule: {name: performance, patience: {updates: 4}, min_delta: 0.5, factor: 0.1}",
    ),
    ("loss", "auto", "loss: auto"),
    ("loss", "cross_entropy", "loss: cross_entropy"),
    (
        "loss",
        "binary_cross_entropy",
        "data: {name: csv, path: table.csv, target: kind, task: classification}\n"
        "loss: binary_cross_entropy",
    ),
    ("loss", "mse", "data: diabetes\nloss: mse"),
    ("loss", "mae", "data: diabetes\nloss: mae"),
    ("loss", "huber", "data: diabetes\nloss: {name: huber, delta: 0.3}"),
    ("metric", "accuracy", "metrics: [accuracy]"),
    ("metric", "top_k", "metrics: [{name: top_k, k: 2}]"),
    ("metric", "confusion", "metrics: [accuracy, confusion]"),
    ("metric", "mae", "data: diabetes\nmetrics: [mae]"),
    ("metric", "rmse", "data: diabetes\nmetrics: [rmse]"),
    ("metric", "r2", "data: diabetes\nmetrics: [r2, mae]"),
]

OTHERS = [
    "regularization: {l2: 1e-3}",
    "regularization: {l1: 1e-3, l2: 1e-4}",
    "regularization: {label_smoothing: 0.1}",
    "regularization: {dropout: 0.3}",
    "activation: selu\nregularization: {dropout: {rate: 0.3, kind: alpha, where: hidden}}",
    "regularization: {max_norm: 0.5}",
    "optimizer: {name: sgd, lr: 1e-4}\n"
    "regularization: {early_stopping: {patience: {updates: 4}, min_delta: 0.5}}",
    "gradient_clipping: {norm: 0.1}",
    "gradient_clipping: {value: 0.01}",
    "gradient_clipping: {norm_per_tensor: 0.1}",
    "precision: bfloat16",
    "precision: float16",
    "precision: float64",
]
"""Settings that are no member of a family, and every precision."""


def table(folder: Path) -> None:
    """Writes a table of 120 rows with a column of text."""
    rows = [
        f"{i % 7},{(i * i) % 11},{'red' if i % 3 else 'blue'},{'yes' if (i * 5) % 7 > 3 else 'no'}"
        for i in range(120)
    ]
    (folder / "table.csv").write_text("a,b,colour,kind\n" + "\n".join(rows) + "\n")


def text_of(lines: str, folder: Path) -> str:
    """Returns a whole config: the start, with the lines over it. Writes table.csv if it is read."""
    table(folder)
    precision = "float32"
    data = "{name: digits, validation: {random: 150}, test: {fraction: 0.7}}"
    kept = []
    for line in lines.splitlines():
        key, _, value = line.partition(": ")
        if key == "precision":
            precision = value
        elif key == "data":
            data = value
        else:
            kept.append(line)
    start = START.format(data=data, precision=precision)
    if any(line.startswith("architecture") for line in kept):
        start = start.replace("architecture: {name: mlp, hidden: [6, 5]}\n", "")
    return start + "\n".join(kept) + "\n"
