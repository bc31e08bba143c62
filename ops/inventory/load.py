"""Find and read an inventory, and check what concerns several keys: groups, test targets, equal databases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from ops.core.errors import InventoryError
from ops.core.yaml_lines import Node, meant, nearest, read, shown, translated
from ops.inventory.fields import keys_of
from ops.inventory.targets import ANSIBLE, EXAMPLES, KEYS, NESTED, OLD_ALIASES, PRODUCTION_ONLY, Inventory, Target
from ops.inventory.tree import Tree

FILE = "inventory.yaml"
VARIABLE = "OPS_INVENTORY"


def find(explicit: str | None, start: Path, environ: Mapping[str, str]) -> Path:
    """Return the inventory's path: ``explicit`` (from -i), else $OPS_INVENTORY, else inventory.yaml; from ``start``.

    Raises:
        InventoryError: there is no such file.
    """
    named = explicit if explicit is not None else environ.get(VARIABLE) or FILE
    path = start / os.path.expanduser(named)
    if not os.path.exists(path) or os.path.isdir(path):
        first = "generalprobe init   to create an inventory; or " if named == FILE else ""
        hint = f"{first}-i FILE after the task, or {VARIABLE}=FILE"
        raise InventoryError("there is no such inventory", hint, file=str(path))
    return path


def load(path: Path) -> Inventory:
    """Read an inventory.

    Raises:
        InventoryError: the inventory is wrong; names file and line.
    """
    try:
        return _Loader(path).inventory()
    except RecursionError:
        raise InventoryError("groups are nested too deeply", "use fewer levels", file=str(path)) from None


class _Loader:
    """Builds the checked targets from the tree of groups. Keeps the nodes of the variables, for their lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = Path(os.path.abspath(path)).parent
        self.tree = Tree(read(path))
        self.default = self.tree.vars["all"].pop("default", None)
        self.kinds = self.tree.kinds()
        production = [self.tree.hosts[name].groups for name, kind in self.kinds.items() if kind == "production"]
        self.shared = self.tree.lineage({"all"}.union(*production))
        self.found: dict[str, dict[str, Node]] = {}
        self.targets: dict[str, Target] = {}

    def inventory(self) -> Inventory:
        self._check_keys()
        for name in self.kinds:
            self.found[name] = self._variables(name)
            self.targets[name] = self._target(name)
        self._check_tests()
        self._check_databases()
        return Inventory(file=self.path, folder=self.folder, default=self._default(), targets=self.targets)

    def _check_keys(self) -> None:
        for variables in (*self.tree.vars.values(), *(host.vars for host in self.tree.hosts.values())):
            for key, node in variables.items():
                if key in OLD_ALIASES:
                    raise node.wrong(f"{key} is an old name", f"write `{OLD_ALIASES[key]}`")
                if key == "default":
                    raise node.wrong("`default` applies to the whole file", "write it below `all: vars:`")
                if key == "defang" and node.value is None:
                    raise node.wrong("`defang` is empty", "defang: {}   for all rules, or remove `defang:`")
                if key not in KEYS and not key.startswith("ansible_"):
                    raise node.wrong(f"unknown key {shown(key)}", meant(key, KEYS))

    def _variables(self, name: str) -> dict[str, Node]:
        """Return the variables of a target. A test target ignores production's keys in groups that it shares."""
        found: dict[str, Node] = {}
        for group, variables in self.tree.layers(name):
            for key, node in variables.items():
                if self.kinds[name] == "test" and key in PRODUCTION_ONLY:
                    if group is not None and group in self.shared:
                        continue
                    raise node.wrong(f"{name}: `{key}` is allowed only in production", f"remove `{key}:` here")
                found[key] = node
        return found

    def _target(self, name: str) -> Target:
        found, line = self.found[name], self.tree.hosts[name].node.line
        given = {key: node.plain() for key, node in found.items() if key in KEYS}
        given |= {"name": name, "kind": self.kinds[name], "line": line}
        connection = {key: node.plain() for key, node in found.items() if key in ANSIBLE}
        if connection.get("ansible_connection") == "ssh" and not connection.get("ansible_host"):
            connection["ansible_host"] = name
        try:
            return Target.model_validate(given | {"connection": connection})
        except ValidationError as error:
            raise translated(error, name, self.tree.hosts[name].node, found, _hint) from None

    def _check_tests(self) -> None:
        for name, target in self.targets.items():
            if target.test is None or self.kinds.get(target.test) == "test":
                continue
            tests = [other for other, kind in self.kinds.items() if kind == "test"]
            hint = f"test: {nearest(target.test, tests) or 'NAME of a target in group `test`'}"
            what = "a production target" if target.test in self.targets else "a target that does not exist"
            what = "the target itself" if target.test == name else what
            raise self.found[name]["test"].wrong(f"{name}: `test` names {what}", hint)

    def _check_databases(self) -> None:
        seen: dict[tuple[str, str], str] = {}
        for name, target in self.targets.items():
            kind, value = target.database.kind, target.database.value
            on = (
                f"{target.railway.project}/{target.railway.environment}/"
                if target.railway and kind == "railway"
                else ""
            )
            key = (kind, os.path.abspath(self.folder / value) if kind == "file" else on + value)
            other = seen.setdefault(key, name)
            if other != name and "production" in (self.kinds[name], self.kinds[other]):
                message = f"{name}: has the same database as {other}"
                raise self.found[name]["database"].wrong(message, "give each target a database of its own")
            if target.standby == target.database:
                message = f"{name}: `standby` is the same address as `database`"
                raise self.found[name]["standby"].wrong(message, "standby: env:STANDBY_URL")

    def _default(self) -> str | None:
        name = self.default.plain() if self.default else None
        production = [target for target, kind in self.kinds.items() if kind == "production"]
        if self.default is None or name is None or name in production:
            return name
        hint = f"default: {nearest(name, production) or 'NAME'}"
        raise self.default.wrong("`default` names no production target", hint)


def _hint(path: Sequence[str | int], kind: str) -> str:
    """Return what to write instead of what pydantic refused: the nearest key, or the key's example."""
    key = str(path[0])
    return meant(str(path[-1]), keys_of(NESTED[key])) if kind == "extra_forbidden" else f"{key}: {EXAMPLES[key]}"
