"""Find the line of an entry of the inventory, for messages: ``inventory.yaml:12: shop``."""

from __future__ import annotations

import contextlib

from ops.core.errors import OpsError
from ops.core.sql_names import parse
from ops.core.yaml_lines import Node, read
from ops.inventory.targets import Inventory, Target
from ops.inventory.tree import Tree


def where(inventory: Inventory, entry: Target, *path: str | int) -> str:
    """Return file, line and target of an entry, or of a part of the entry, as messages begin.

    Args:
        inventory: the inventory.
        entry: the target.
        path: the part: a key, a key within that key, and an item there by its index or name.
    """
    return f"{inventory.file.name}:{line_of(inventory, entry, *path)}: {entry.name}"


def line_of(inventory: Inventory, entry: Target, *path: str | int) -> int:
    """Return the line of an entry, or of a part of the entry; for a missing part, the line of its nearest parent."""
    node = None
    with contextlib.suppress(OpsError):
        for _, variables in Tree(read(inventory.file)).layers(entry.name) if path else ():
            node = variables.get(str(path[0]), node)
    for part in path[1:]:
        node = _part(node, part) if node and part != "" else node
    return node.line if node else entry.line


def _part(node: Node, part: str | int) -> Node:
    """Return a key's node, or a list's item by its index or name; the node itself if there is none."""
    if isinstance(part, int):
        return node.at([part])
    if isinstance(node.value, tuple):
        return next((one for one in node.value if _same(one.value, part)), node)
    names = node.value if isinstance(node.value, dict) else {}
    return next((one for name, one in names.items() if _same(name, part)), node)


def _same(one: object, two: str) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(one, str) and (one == two or parse(one) == parse(two))
    return False
