"""One small training per choice: what the walks over all members and the resume tests train.

A new choice gets a line here; a test fails until it has one.
"""

from __future__ import annotations

from pathlib import Path

from tests.formats import write_what_is_named

START = """
data: {data}
architecture: {{name: mlp, hidden: [6, 5]}}
training: {{epochs: {{updates: 14}}, batch_size: 40, threads: 1, evaluate_every: {{updates: 4}},
  checkpoint_every: {{updates: 5}}, precision: {precision}, divergence: {divergence}}}
"""

EXPLODES = (
    "optimizer: {name: sgd, lr: 1e10, momentum: 0.9}\n"
    "schedule: {name: piecewise_constant, boundaries: [{updates: 6}], factors: [1e-11, 1]}\n"
    "normalization: batch\n"
    "regularization: {dropout: 0.3}\n"
    "divergence: {rollback: {lr_factor: 1e-6}}"
)
"""Right up to update 6 and far too fast from then on: it fails at 9, goes back to 5, fails at 10,
the very update after a checkpoint, goes back to 5 again, and then learns."""
EXPLODES_AT_ONCE = (
    "optimizer: {name: nadam, lr: 1e10}\n"
    "activation: linear\n"
    "divergence: {rollback: {lr_factor: 1e-11, max: 1}}"
)
"""It goes back to where it began."""
HUGE_ROW = (
    "data: {name: csv, path: huge.csv, target: y, task: regression, standardize: none}\n"
    "optimizer: {name: adam, lr: 0.01}\n"
    "normalization: {name: batch, place: before_activation}\n"
    "regularization: {dropout: {rate: 0.3, where: hidden}}\n"
    "divergence: {skip: 8}"
)
"""One row lets the loss overflow, once in every epoch: its update is left out."""

MOMENTUM = "optimizer: {name: sgd, lr: 0.05, momentum: 0.9, nesterov: true}"

CHOICES: list[tuple[str, str, str]] = [
    ("data", "digits", "data: {name: digits, validation: {random: 150}, standardize: range}"),
    ("data", "wine", "data: {name: wine, validation: {fraction: 0.2, stratified: true}}"),
    ("data", "breast_cancer", "data: {name: breast_cancer, train_size: 200}"),
    ("data", "diabetes", "data: diabetes"),
    ("data", "mnist", "data: {name: mnist, folder: small_mnist}"),
    ("data", "fashion_mnist", "data: {name: fashion_mnist, folder: small_mnist}"),
    ("data", "kmnist", "data: {name: kmnist, folder: small_mnist, standardize: none}"),
    (
        "data",
        "emnist",
        "data: {name: emnist, folder: small_emnist, split: letters, validation: {first: 10}}",
    ),
    ("data", "cifar10", "data: {name: cifar10, folder: small_cifar10}"),
    ("data", "cifar100", "data: {name: cifar100, folder: small_cifar100, label_mode: coarse}"),
    ("data", "svhn", "data: {name: svhn, folder: small_svhn, standardize: range}"),
    ("data", "image_folder", "data: {name: image_folder, path: small_image_folder, size: 6}"),
    ("data", "spiral", "data: {name: spiral, examples: 200}"),
    ("data", "moons", "data: {name: moons, examples: 200}"),
    ("data", "circles", "data: {name: circles, examples: 200}"),
    ("data", "xor", "data: {name: xor, examples: 200, noise: 0.1}"),
    ("data", "csv", "data: {name: csv, path: table.csv, target: kind, task: classification}"),
    (
        "data",
        "parquet",
        "data: {name: parquet, path: table.parquet, target: kind, task: classification}",
    ),
    ("data", "npz", "data: {name: npz, path: arrays.npz, channels: first}"),
    ("architecture", "mlp", "architecture: {name: mlp, hidden: [{units: 4, repeat: 3}]}"),
    (
        "architecture",
        "cnn",
        "architecture: {name: cnn, convolutions: [4, {filters: 6, pool: 2}], hidden: [5]}\n"
        "regularization: {dropout: {rate: 0.2, kind: spatial}}",
    ),
    (
        "architecture",
        "resnet",
        "architecture: {name: resnet, stem: 4, blocks: [{filters: 4}, {filters: 6, stride: 2}]}\n"
        "normalization: {name: batch, place: before_activation}",
    ),
    (
        "architecture",
        "resnet",
        "architecture: {name: resnet, blocks: [{units: 6, repeat: 2}]}\ninitializer: fixup",
    ),
    ("architecture", "wide_and_deep", "architecture: {name: wide_and_deep, hidden: [5, 4]}"),
    ("architecture", "autoencoder", "architecture: {name: autoencoder, hidden: [8, 3]}"),
    (
        "architecture",
        "rnn",
        "architecture: {name: rnn, recurrent: [5], bidirectional: true}\n"
        "regularization: {dropout: {rate: 0.3, kind: recurrent}}",
    ),
    (
        "architecture",
        "rnn",
        "architecture: {name: rnn, cell: gru, recurrent: [5, 4], steps: 4, hidden: [6]}\n"
        "normalization: layer",
    ),
    (
        "architecture",
        "torchvision",
        "architecture: {name: torchvision, model: shufflenet_v2_x0_5}",
    ),
    ("initializer", "auto", "initializer: auto"),
    ("initializer", "glorot_uniform", "initializer: glorot_uniform"),
    ("initializer", "he_normal", "initializer: he_normal"),
    ("initializer", "lecun_normal", "initializer: lecun_normal"),
    ("initializer", "variance_scaling", "initializer: {name: variance_scaling, mode: fan_avg}"),
    ("initializer", "constant", "initializer: {name: constant, value: 0.1}"),
    ("initializer", "glorot_normal", "initializer: glorot_normal"),
    ("initializer", "he_uniform", "initializer: {name: he_uniform, slope: 0.2}"),
    ("initializer", "identity", "initializer: identity"),
    ("initializer", "lecun_uniform", "initializer: lecun_uniform"),
    ("initializer", "ones", "bias_initializer: ones"),
    ("initializer", "orthogonal", "initializer: {name: orthogonal, gain: 1.4}"),
    ("initializer", "random_normal", "initializer: random_normal"),
    ("initializer", "random_uniform", "initializer: random_uniform"),
    ("initializer", "truncated_normal", "bias_initializer: truncated_normal"),
    (
        "initializer",
        "fixup",
        "architecture: {name: resnet, blocks: [{units: 6, repeat: 3}]}\ninitializer: fixup",
    ),
    ("activation", "linear", "activation: linear"),
    ("activation", "relu", "activation: relu"),
    ("activation", "leaky_relu", "activation: {name: leaky_relu, slope: 0.2}"),
    ("activation", "rrelu", "activation: rrelu"),
    ("activation", "prelu", "activation: prelu"),
    ("activation", "prelu", "activation: {name: prelu, slopes: per_unit}"),
    ("activation", "thresholded_relu", "activation: {name: thresholded_relu, theta: 0.1}"),
    ("activation", "elu", "activation: {name: elu, alpha: 0.5}"),
    ("activation", "selu", "activation: selu"),
    ("activation", "gelu", "activation: {name: gelu, form: tanh}"),
    ("activation", "swish", "activation: swish"),
    ("activation", "mish", "activation: mish"),
    ("activation", "hard_swish", "activation: hard_swish"),
    ("activation", "sigmoid", "activation: sigmoid"),
    ("activation", "hard_sigmoid", "activation: hard_sigmoid"),
    ("activation", "tanh", "activation: tanh"),
    ("activation", "softplus", "activation: softplus"),
    ("activation", "softsign", "activation: softsign"),
    (
        "activation",
        "exponential",
        "activation: exponential\ninitializer: {name: random_normal, stddev: 0.001}",
    ),
    ("activation", "softmax", "activation: softmax"),
    ("activation", "log_softmax", "activation: log_softmax"),
    ("normalization", "none", "normalization: none"),
    ("normalization", "batch", "normalization: {name: batch, input: true}"),
    ("normalization", "batch", "normalization: {name: batch, place: before_activation}"),
    ("initializer", "zeros", "initializer: {name: zeros}\nbias_initializer: zeros"),
    ("normalization", "layer", "normalization: layer"),
    ("normalization", "group", "normalization: {name: group, groups: 1}"),
    ("optimizer", "sgd", "optimizer: {name: sgd, lr: 0.1}"),
    ("optimizer", "sgd", MOMENTUM),
    ("optimizer", "sgd", "optimizer: {name: sgd, lr: 0.1, weight_decay: 0.01}"),
    ("optimizer", "adagrad", "optimizer: {name: adagrad, lr: 0.1}"),
    ("optimizer", "adadelta", "optimizer: adadelta"),
    ("optimizer", "rmsprop", "optimizer: rmsprop"),
    ("optimizer", "rmsprop", "optimizer: {name: rmsprop, momentum: 0.9}\nschedule: one_cycle"),
    ("optimizer", "adam", "optimizer: {name: adam, lr: 0.01}"),
    ("optimizer", "adam", "optimizer: {name: adam, lr: 0.01}\nschedule: one_cycle"),
    ("optimizer", "adamax", "optimizer: {name: adamax, lr: 0.01}"),
    ("optimizer", "nadam", "optimizer: {name: nadam, lr: 0.01}"),
    ("optimizer", "adamw", "optimizer: {name: adamw, lr: 0.01, weight_decay: 0.1}"),
    ("optimizer", "radam", "optimizer: {name: radam, lr: 0.01}"),
    ("optimizer", "lion", "optimizer: {name: lion, lr: 0.01, weight_decay: 0.1}"),
    ("schedule", "constant", "schedule: constant"),
    ("schedule", "power", "schedule: {name: power, s: {updates: 3}, c: 0.5}"),
    ("schedule", "exponential", "schedule: {name: exponential, s: 1, warm_up: {updates: 3}}"),
    (
        "schedule",
        "piecewise_constant",
        "schedule: {name: piecewise_constant, boundaries: [{updates: 4}, {updates: 9}]}",
    ),
    ("schedule", "linear", "schedule: {name: linear, end: 0.1, over: {updates: 9}}"),
    ("schedule", "cosine", "schedule: {name: cosine, first_cycle: {updates: 4}}"),
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
    ("pretraining", "autoencoder", "pretraining: autoencoder\noptimizer: nadam"),
    (
        "pretraining",
        "autoencoder",
        "pretraining: {name: autoencoder, tied: true, noise: 0.3, mask: 0.2}\n"
        "optimizer: {name: adamw, lr: 0.01}\nregularization: {l2: 1e-3}",
    ),
    (
        "pretraining",
        "autoencoder",
        "pretraining: {name: autoencoder, greedy: true, noise: 0.3, mask: 0.2}\n"
        "optimizer: {name: adam, lr: 0.01}\n"
        "normalization: {name: batch, input: true}\nregularization: {dropout: 0.3}",
    ),
    ("pretraining", "autoencoder", "pretraining: {name: autoencoder, greedy: true, tied: true}"),
    ("pretraining", "masked", "data: wine\npretraining: {name: masked, mask: 0.2}"),
    (
        "pretraining",
        "masked",
        "pretraining: {name: masked, fill: mean}\nloss: huber\n"
        "architecture: {name: cnn, convolutions: [4, {filters: 6, pool: 2}]}",
    ),
    (
        "pretraining",
        "rbm",
        "pretraining: {name: rbm, steps: 2}\nactivation: sigmoid\n"
        "optimizer: {name: sgd, lr: 0.01, momentum: 0.5}",
    ),
    (
        "pretraining",
        "rbm",
        "data: {name: digits, validation: {random: 150}, standardize: range}\n"
        "pretraining: rbm\nactivation: sigmoid\noptimizer: {name: sgd, lr: 0.1}",
    ),
    (
        "pretraining",
        "gan",
        "pretraining: {name: gan, codings: 4}\nactivation: leaky_relu\n"
        "optimizer: {name: adam, lr: 0.01}\nregularization: {dropout: 0.3}",
    ),
    (
        "pretraining",
        "gan",
        "pretraining: {name: gan, generator: [7, 9]}\nnormalization: batch\n"
        "architecture: {name: cnn, convolutions: [4, {filters: 6, pool: 2}]}",
    ),
    (
        "pretraining",
        "rotation",
        "data: {name: digits, validation: {random: 150}, standardize: per_channel, "
        "augmentation: {shift: 1}}\npretraining: rotation\nnormalization: batch\n"
        "architecture: {name: cnn, convolutions: [4, {filters: 6, pool: 2}]}",
    ),
    (
        "pretraining",
        "pairs",
        "pretraining: pairs\nnormalization: batch\nregularization: {dropout: 0.3}\n"
        "optimizer: {name: sgd, lr: 0.05}",
    ),
]

SPLITS = "validation: {random: 150}, test: {fraction: 0.7}}"

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
    "data: {name: digits, augmentation: {shift: 1, flip: true, cutout: 2}, " + SPLITS,
    "data: {name: digits, classes: [3, 5, 8], standardize: per_channel, " + SPLITS,
    "data: {name: digits, positive: 3, train_size: {fraction: 0.5, stratified: true}, " + SPLITS,
    "precision: bfloat16",
    "precision: float16",
    "precision: float64",
    EXPLODES,
    EXPLODES_AT_ONCE,
    HUGE_ROW,
]
"""Settings that are no member of a family, every precision, and numbers that are not finite."""


def table(folder: Path) -> None:
    """Writes a table of 120 rows with a column of text."""
    rows = [
        f"{i % 7},{(i * i) % 11},{'red' if i % 3 else 'blue'},{'yes' if (i * 5) % 7 > 3 else 'no'}"
        for i in range(120)
    ]
    (folder / "table.csv").write_text("a,b,colour,kind\n" + "\n".join(rows) + "\n")


def huge_row(folder: Path) -> None:
    """Writes a table of 120 rows, the 31st of which holds a number whose square overflows."""
    rows = [f"{1e30 if i == 30 else i % 7},{(i * i) % 11},{i % 5}" for i in range(120)]
    (folder / "huge.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")


def parquet(folder: Path) -> None:
    """Writes the rows of table.csv into table.parquet."""
    import pyarrow.csv
    import pyarrow.parquet

    pyarrow.parquet.write_table(
        pyarrow.csv.read_csv(folder / "table.csv"), folder / "table.parquet"
    )


def arrays(folder: Path) -> None:
    """Writes 90 images of 3 x 4 x 5 numbers, of three classes."""
    import numpy as np

    random = np.random.default_rng(0)
    classes = np.arange(90) % 3
    images = random.normal(size=(90, 3, 4, 5)) + classes[:, None, None, None]
    np.savez(folder / "arrays.npz", inputs=images, targets=classes)


def text_of(lines: str, folder: Path) -> str:
    """Returns a whole config: the start, with the lines over it. Writes the data it may read."""
    table(folder)
    if "table.parquet" in lines:
        parquet(folder)
    if "arrays.npz" in lines:
        arrays(folder)
    if "huge.csv" in lines:
        huge_row(folder)
    write_what_is_named(lines, folder)
    precision, divergence = "float32", "stop"
    data = "{name: digits, validation: {random: 150}, test: {fraction: 0.7}}"
    kept = []
    for line in lines.splitlines():
        key, _, value = line.partition(": ")
        if key == "precision":
            precision = value
        elif key == "divergence":
            divergence = value
        elif key == "data":
            data = value
        else:
            kept.append(line)
    start = START.format(data=data, precision=precision, divergence=divergence)
    if any(line.startswith("architecture") for line in kept):
        start = start.replace("architecture: {name: mlp, hidden: [6, 5]}\n", "")
    return start + "\n".join(kept) + "\n"
