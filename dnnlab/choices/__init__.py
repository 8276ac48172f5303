"""Everything a config can name: a file or folder per family, a class per choice. No torch.

A choice's fields are its YAML keys, its docstring says what it computes and whose variant that is,
and `build` makes the runtime thing. To add one: write its class, and name it in the `members` of
its family.
"""

from dnnlab.choices.activations import Activation
from dnnlab.choices.architectures import Architecture
from dnnlab.choices.datasets import Dataset
from dnnlab.choices.initializers import Initializer
from dnnlab.choices.losses import Loss
from dnnlab.choices.metrics import Metric
from dnnlab.choices.normalizations import Normalization
from dnnlab.choices.optimizers import Optimizer
from dnnlab.choices.pretraining import Pretraining
from dnnlab.choices.schedules import Schedule
from dnnlab.spec import Choice

FAMILIES: dict[str, type[Choice]] = {
    family.family: family
    for family in (
        Dataset,
        Architecture,
        Initializer,
        Activation,
        Normalization,
        Optimizer,
        Schedule,
        Loss,
        Metric,
        Pretraining,
    )
}
"""The families, by the word under which `dnnlab describe` shows them."""


def members(family: str) -> dict[str, type[Choice]]:
    """Returns the choices of a family by name, in the order in which it lists them."""
    return {name: FAMILIES[family].member(name) for name in FAMILIES[family].members}
