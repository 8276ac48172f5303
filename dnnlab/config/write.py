"""An experiment -> YAML text that reads back as the same experiment."""

from __future__ import annotations

from typing import Any

import yaml

from dnnlab.config.yaml12 import parse, scalar
from dnnlab.experiment import Experiment
from dnnlab.spec import Duration, Spec


class _Dumper(yaml.SafeDumper):
    """Writes what both YAML 1.1 and 1.2 readers understand: 1.0e-05, and "1e-5" for the text."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(scalar(text), str) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(experiment: Experiment) -> str:
    """Writes every setting, defaults included; left out is only what is null unless set.

    Raises ConfigError if that is more than `read` takes: it could not be gone on with.
    """
    text: str = yaml.dump(
        settings(experiment),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )
    parse(text.encode("utf-8", "surrogatepass"), subject="the config with its defaults written out")
    return text


def settings(spec: Spec) -> dict[str, Any]:
    """Returns a Spec as plain data, the name of a choice first; left out is what is null unless
    set.
    """
    fields = sorted(type(spec).model_fields.items(), key=lambda item: item[0] != "name")
    values = ((name, getattr(spec, name), field) for name, field in fields)
    return {
        name: _plain(value)
        for name, value, field in values
        if not (value is None and not field.is_required() and field.default is None)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Duration) and value.epochs is not None:
        return int(value.epochs) if value.epochs.is_integer() else value.epochs
    if isinstance(value, Spec):
        return settings(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value
