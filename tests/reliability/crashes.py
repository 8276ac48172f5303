"""What a disk may hold after a power cut: every state that POSIX allows, from the calls made.

A file system may lose what was not fsynced, and keep any part of it, in any order: the bytes of a
file until the file is fsynced, the names in a folder until the folder is. One rename is one change.
After Pillai et al., 2014, 'All file systems are not created equal' (OSDI).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.reliability.systems import Call

ALL_SUBSETS = 5
"""Up to this many pending changes, every subset of them is tried."""
DRAWN = 6
"""Of more, none, all, all but one, one alone, and this many at random."""


@dataclass
class Node:
    """A file or a folder, whatever its name is."""

    is_folder: bool
    changes: list[Change] = field(default_factory=list)


@dataclass
class Change:
    """One thing that was done to a node; until it is durable, it may be lost."""

    kind: str
    """name, no name, rename; write, cut."""
    name: str = ""
    to: str = ""
    node: Node | None = None
    content: bytes = b""
    size: int = 0
    durable: bool = False


Tree = dict[str, bytes | None]
"""Path -> bytes of a file, None for a folder."""


class Model:
    """The disk as a list of changes per node, as the calls have made them."""

    def __init__(self) -> None:
        self.root = Node(is_folder=True)
        self._nodes: dict[str, Node] = {".": self.root}

    def apply(self, call: Call) -> None:
        """Takes in one call."""
        match call.what:
            case "mkdir" | "create":
                made = Node(is_folder=call.what == "mkdir")
                self._nodes[call.path] = made
                self._parent(call.path).changes.append(Change("name", _leaf(call.path), node=made))
            case "write":
                self._nodes[call.path].changes.append(Change("write", content=call.content))
            case "truncate":
                self._nodes[call.path].changes.append(Change("cut", size=call.size))
            case "fsync" | "fsync_folder":
                for change in self._nodes[call.path].changes:
                    change.durable = True
            case "rename":
                assert _folder(call.path) == _folder(call.to), "one folder, one change"
                for path in [p for p in self._nodes if p == call.path or _under(p, call.path)]:
                    self._nodes[call.to + path[len(call.path) :]] = self._nodes.pop(path)
                change = Change("rename", _leaf(call.path), _leaf(call.to))
                self._parent(call.path).changes.append(change)
            case "unlink" | "rmdir":
                del self._nodes[call.path]
                self._parent(call.path).changes.append(Change("no name", _leaf(call.path)))
            case other:
                assert other == "said", other

    def states(self, chance: random.Random) -> Iterator[Tree]:
        """Yields what the disk may hold if the power went now."""
        pending = [change for node in self._reachable() for change in node.changes]
        pending = [change for change in pending if not change.durable]
        for lost in _subsets(pending, chance):
            dropped = {id(change) for change in lost}
            yield self._tree(dropped, torn=None)
        writes = [change for change in pending if change.kind == "write"]
        for change in writes[-2:]:
            for torn in ("half", "zeros"):
                yield self._tree(set(), torn=(id(change), torn))

    def _reachable(self) -> list[Node]:
        """Returns every node that some state may still show."""
        seen: list[Node] = []
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            if any(node is each for each in seen):
                continue
            seen.append(node)
            waiting += [change.node for change in node.changes if change.node is not None]
        return seen

    def _tree(self, dropped: set[int], torn: tuple[int, str] | None) -> Tree:
        tree: Tree = {}
        _fill(tree, "", self.root, dropped, torn)
        return tree

    def _parent(self, path: str) -> Node:
        return self._nodes[_folder(path)]


def _fill(
    tree: Tree, prefix: str, folder: Node, dropped: set[int], torn: tuple[int, str] | None
) -> None:
    names: dict[str, Node] = {}
    for change in folder.changes:
        if id(change) in dropped:
            continue
        if change.kind == "name":
            assert change.node is not None
            names[change.name] = change.node
        elif change.kind == "no name":
            names.pop(change.name, None)
        elif change.name in names:
            names[change.to] = names.pop(change.name)
    for name, node in names.items():
        path = prefix + name
        tree[path] = None
        if node.is_folder:
            _fill(tree, path + "/", node, dropped, torn)
        else:
            tree[path] = _content(node, dropped, torn)


def _content(file: Node, dropped: set[int], torn: tuple[int, str] | None) -> bytes:
    content = b""
    hole = 0
    for change in file.changes:
        if change.kind == "cut":
            if id(change) not in dropped:
                content, hole = content[: change.size], 0
            continue
        written = change.content
        if id(change) in dropped:
            hole += len(written)
            continue
        if torn is not None and torn[0] == id(change):
            written = written[: len(written) // 2] if torn[1] == "half" else bytes(len(written))
        content += bytes(hole) + written  # a later write makes a lost one a hole
        hole = 0
    return content


def _subsets(pending: Sequence[Change], chance: random.Random) -> Iterator[list[Change]]:
    """Yields which changes are lost."""
    if len(pending) <= ALL_SUBSETS:
        for bits in range(2 ** len(pending)):
            yield [change for at, change in enumerate(pending) if bits >> at & 1]
        return
    yield []
    yield list(pending)
    for change in pending:
        yield [change]
        yield [other for other in pending if other is not change]
    for _ in range(DRAWN):
        yield [change for change in pending if chance.random() < 0.5]


def write(tree: Tree, folder: Path) -> None:
    """Makes the files of a state."""
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir(exist_ok=True)
        else:
            (folder / path).write_bytes(content)


def _leaf(path: str) -> str:
    return path.rpartition("/")[2]


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "."


def _under(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")
