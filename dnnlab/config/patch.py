"""One setting of a config's text changed where it stands: all else stays to the byte."""

from __future__ import annotations

from codecs import BOM_UTF8
from pathlib import Path

import yaml

from dnnlab.config.read import Config, interpret
from dnnlab.config.write import settings
from dnnlab.errors import ConfigError


def with_lr(config: Config, lr: float, path: Path) -> bytes:
    """Returns the text of a config with another `optimizer.lr`, for a file at `path`.

    The text is that of the file: what `--set` laid over it is not in it. Raises ConfigError where
    that file would not be the same experiment but for the rate.
    """
    own = interpret(config.text, config.subject).experiment
    patched = _patched(config.text, f"{lr:g}")
    read_back = interpret(patched, path).experiment
    wanted = own.model_copy(update={"optimizer": own.optimizer.model_copy(update={"lr": lr})})
    if settings(read_back) != settings(wanted):
        raise ConfigError(
            str(path),
            message=f"{path} would not be the experiment of {config.subject} but for optimizer.lr",
            remedy="write it beside the config, whose relative paths mean the same there; an "
            "optimizer over one that `extends` names needs its settings written out",
        )
    return patched


def _patched(content: bytes, lr: str) -> bytes:
    """Returns a text that `parse` has accepted with the rate in it, wherever that has to go."""
    mark = BOM_UTF8 if content.startswith(BOM_UTF8) else b""
    text = content.removeprefix(mark).decode()
    top = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(top, yaml.MappingNode)
    optimizer = _value(top, "optimizer")
    if optimizer is None:
        text = _inserted(text, top, "optimizer", f"{{lr: {lr}}}")
    elif isinstance(optimizer, yaml.MappingNode):
        old = _value(optimizer, "lr")
        text = _inserted(text, optimizer, "lr", lr) if old is None else _replaced(text, old, lr)
    else:
        text = _replaced(text, optimizer, f"{{name: {_of(text, optimizer)}, lr: {lr}}}")
    return mark + text.encode()


def _value(mapping: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in mapping.value if name.value == key), None)


def _of(text: str, node: yaml.Node) -> str:
    return text[node.start_mark.index : node.end_mark.index]


def _replaced(text: str, node: yaml.Node, by: str) -> str:
    return text[: node.start_mark.index] + by + text[node.end_mark.index :]


def _inserted(text: str, mapping: yaml.MappingNode, key: str, value: str) -> str:
    """Returns the text with a key more: in a flow mapping at its end, in a block on a line of its
    own, after the name of a choice or after all that is there.
    """
    if mapping.flow_style:
        if not mapping.value:
            return _replaced(text, mapping, f"{{{key}: {value}}}")
        _, last = mapping.value[-1]
        at = last.end_mark.index
        return f"{text[:at]}, {key}: {value}{text[at:]}"
    first, _ = mapping.value[0]
    named = _value(mapping, "name")
    above = mapping.value[-1][1] if named is None else named
    newline = "\r\n" if "\r\n" in text else "\n"
    at = _end_of_line(text, _end(above))
    line = f"{' ' * first.start_mark.column}{key}: {value}{newline}"
    before = text[:at] if text[:at].endswith("\n") else text[:at] + newline
    return before + line + text[at:]


def _end(node: yaml.Node) -> int:
    """Returns where a node's own text ends: a block's mark lies behind the comments that follow."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return _end(node.value[-1][1])
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return _end(node.value[-1])
    end: int = node.end_mark.index
    return end


def _end_of_line(text: str, at: int) -> int:
    """Returns where the line after that of a position begins; a position at a line's start is of
    the text above.
    """
    if at and text[at - 1] == "\n":
        return at
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1
