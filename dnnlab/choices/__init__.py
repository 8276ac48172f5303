"""Everything a config can name: a file per family, a class per choice. Importing needs no torch.

A choice's fields are its YAML keys, its docstring says what it computes and whose variant that is,
and `build` makes the runtime thing. To add one: write its class, and add it to the union at the end
of the file.
"""

from typing import Any

from dnnlab.choices.activations import Activation
from dnnlab.choices.architectures import Architecture
from dnnlab.choices.datasets import Data
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.losses import Loss
from dnnlab.choices.metrics import Metric
from dnnlab.choices.normalizations import Normalization
from dnnlab.choices.optimizers import Optimizer
from dnnlab.choices.schedules import Schedule
from dnnlab.spec import Spec, choice_name, specs_in

FAMILIES: dict[str, Any] = {
    "data": Data,
    "architecture": Architecture,
    "initializer": Initializer,
    "activation": Activation,
    "normalization": Normalization,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "loss": Loss,
    "metric": Metric,
}
"""The families, by the word under which `dnnlab describe` shows them."""


def members(family: str) -> dict[str, type[Spec]]:
    """Returns the choices of a family by name, in the order of its union."""
    return {choice_name(choice) or "": choice for choice in specs_in(FAMILIES[family])}
