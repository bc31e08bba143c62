"""What the inventory wants of a target's copies, with its files: what a run is bound to, and where it stands."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass

from ops.command import Query
from ops.defang.catalog import Catalog, read_catalog
from ops.defang.names import parse
from ops.errors import OpsError, Refused, StepFailed
from ops.files import sha256
from ops.inventory_defang import Defang
from ops.inventory_yaml import Node, Tree, read
from ops.postgres import json_lines, said_error
from ops.rights import grant
from ops.world import World


@dataclass(frozen=True)
class Wish:
    """The key, the sha256 of every file that it names, and a digest of all of it."""

    defang: Defang
    files: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """Changes with the key, and with every byte of its files."""
        return hashlib.sha256(f"{self.defang.model_dump_json()}{self.files}".encode()).hexdigest()[:16]


def wish_of(world: World, target: str) -> Wish | None:
    """What the inventory wants; None where it has no ``defang``.

    Raises:
        Refused: a file that it names can't be read; with file and line.
    """
    defang = world.inventory.target(target).defang
    if defang is None:
        return None
    files = []
    for number, name in enumerate(defang.sql):
        try:
            files.append((name, sha256(world.inventory.path(name))))
        except OSError as error:
            place = where(world, target, "sql", number)
            raise Refused(
                f"{place}: {name}: {(error.strerror or 'can not be read').lower()}", f"ls -l {name}"
            ) from None
    return Wish(defang, tuple(files))


def planned(world: World, target: str, digest: str) -> Wish:
    """What the inventory wants, where it is what a run was planned with.

    Args:
        digest: the plan's; empty by hand, where the inventory as it is now is meant.

    Raises:
        Refused: it is not.
    """
    found = wish_of(world, target)
    if found is None:
        raise Refused(f"{target}: the inventory has no `defang`", "defang: {}   for all rules (docs/defang.md)")
    if digest and found.digest != digest:
        names = ", ".join(["its `defang` in the inventory", *(name for name, _ in found.files)])
        raise Refused(
            f"{target}: what this run was planned with has changed since ({names})",
            f"inv undo   and then   inv clone-prod-to-test --target={target}; or as it was, and   inv resume",
        )
    return found


def where(world: World, target: str, key: str = "", part: str | int = "") -> str:
    """File, line and target where a part of ``defang`` stands, as a message begins.

    Args:
        key: ``sql``, ``mask``, …; the key itself where empty.
        part: an entry of it: its place in the list, or its name.
    """
    file = world.inventory.file
    node = None
    with contextlib.suppress(OpsError):
        tree = Tree(read(file))
        for _, variables in tree.layers(target):
            node = variables.get("defang", node)
    line = _at(node, key, part).line if node else world.inventory.target(target).line
    return f"{file.name}:{line}: {target}"


def _at(node: Node, key: str, part: str | int) -> Node:
    inner = node.at([key]) if key else node
    if isinstance(part, int):
        return inner.at([part])
    entries = inner.value.items() if isinstance(inner.value, dict) else ()
    listed = inner.value if isinstance(inner.value, tuple) else ()
    pairs = [*entries, *((one.value, one) for one in listed)]
    return next((one for name, one in pairs if part and _same(name, part)), inner)


def _same(one: object, two: str) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(one, str) and (one == two or parse(one) == parse(two))
    return False


def catalog_of(world: World, target: str, database: str = "") -> Catalog:
    """The tables of a database; it is only read.

    Raises:
        StepFailed: it does not answer.
    """
    done = world.run(Query("defang_catalog.sql", target, database))
    if done.exit:
        raise StepFailed(
            f"{target}: its tables could not be listed: {said_error(done.err)}", grant(world, target, done.err)
        )
    return read_catalog(json_lines(done.out))
