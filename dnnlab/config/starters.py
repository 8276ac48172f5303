"""Starter configs for `dnnlab init`: short, commented, and good as they are."""

from __future__ import annotations

from typing import Literal

from dnnlab.config.schema import HEADER

Kind = Literal["default", "self-normalizing"]

_COMMON_TAIL = """
training:
  epochs: 20
  batch_size: 32
  seed: 42                # the same seed gives the same bits
  device: auto            # a CUDA device if there is one, else cpu
  monitor: loss           # or accuracy: what is best, for early stopping
"""

_DEFAULT = """# The chapter's default net: He initialization, ELU, batch normalization, momentum
# with 1cycle, early stopping. Run it with:  dnnlab train {file}
# See every setting and choice with:         dnnlab describe

data:
  name: fashion_mnist     # or digits, diabetes; or your own table:
                          # {{name: csv, path: table.csv, target: price, task: regression}}
  validation: {{first: 5000}}

architecture:
  name: mlp
  hidden: [300, 100]      # units of each hidden layer; {{units: 100, repeat: 5}} stands for five

activation: elu
initializer: he_normal
normalization: {{name: batch, place: before_activation}}

optimizer: {{name: sgd, lr: 0.05, momentum: 0.9, nesterov: true}}
schedule: one_cycle       # lr is its highest rate; momentum goes the other way

regularization:
  early_stopping: {{patience: 10}}   # epochs without a better validation loss; keeps the best
"""

_SELF_NORMALIZING = """# The chapter's self-normalizing net: LeCun initialization, SELU,
# standardized inputs, a plain stack, alpha dropout. Run it with:  dnnlab train {file}
# See every setting and choice with:         dnnlab describe

data:
  name: fashion_mnist     # or digits, diabetes; or your own table:
                          # {{name: csv, path: table.csv, target: price, task: regression}}
  validation: {{first: 5000}}
  standardize: per_feature   # SELU needs inputs of mean 0 and standard deviation 1

architecture:
  name: mlp
  hidden: [300, 100]      # units of each hidden layer; {{units: 100, repeat: 99}} stands for 99

activation: selu
initializer: lecun_normal

optimizer: {{name: sgd, lr: 0.02, momentum: 0.9, nesterov: true}}
schedule: one_cycle       # lr is its highest rate; momentum goes the other way

regularization:           # no l2, max_norm or ordinary dropout: they break self-normalization
  dropout: {{rate: 0.1, kind: alpha, where: hidden}}
  early_stopping: {{patience: 10}}
"""


def starter(kind: Kind, file: str) -> str:
    """Returns the text of a starter config that will be saved as `file`."""
    body = _DEFAULT if kind == "default" else _SELF_NORMALIZING
    return f"{HEADER}\n{body.format(file=file)}{_COMMON_TAIL}"
