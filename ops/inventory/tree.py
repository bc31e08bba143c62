"""Read the groups and hosts of Ansible's YAML inventory format. ``targets`` validates the variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

from ops.core.yaml_lines import DEEPEST, Node, meant, shown

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
SECTIONS = ("vars", "hosts", "children")
Kind = Literal["production", "test"]


@dataclass
class Host:
    """A host: the groups that name the host, its own variables, and each node that mentions it."""

    groups: set[str] = field(default_factory=set)
    vars: dict[str, Node] = field(default_factory=dict)
    mentions: list[Node] = field(default_factory=list)

    @property
    def node(self) -> Node:
        """The first mention with variables, or else the first mention."""
        return next((node for node in self.mentions if node.value), self.mentions[0])


class Tree:
    """Groups and hosts, with Ansible's order of variables: farther groups first, the host last.

    Args:
        root: the file's root.

    Raises:
        InventoryError: the file is not an inventory.
    """

    def __init__(self, root: Node) -> None:
        self.vars: dict[str, dict[str, Node]] = {}
        self.parents: dict[str, set[str]] = {"all": set()}
        self.hosts: dict[str, Host] = {}
        self._depths: dict[str, int] = {"all": 0}
        groups = root.mapping("the file", "start it with the line `all:`")
        if "all" not in groups:
            raise root.wrong("there is no group `all`", "put `all:` on top and the groups below `all: children:`")
        for name, node in groups.items():
            self._add(name, node, None if name == "all" else "all")

    def lineage(self, groups: Iterable[str]) -> set[str]:
        """Return the groups, and all groups above them."""
        found: set[str] = set()
        waiting = list(groups)
        while waiting:
            if (group := waiting.pop()) not in found:
                found.add(group)
                waiting.extend(self.parents[group])
        return found

    def layers(self, host: str) -> Iterator[tuple[str | None, dict[str, Node]]]:
        """Yield (group, its variables) from the farthest to the nearest group, then (None, the host's variables)."""
        for group in sorted(self.lineage(self.hosts[host].groups), key=self._rank):
            yield group, self.vars[group]
        yield None, self.hosts[host].vars

    def kinds(self) -> dict[str, Kind]:
        """Return for each host whether it is in `production` or in `test`.

        Raises:
            InventoryError: a host is in neither group, or in both.
        """
        return {name: self._kind(name, host) for name, host in self.hosts.items()}

    def _kind(self, name: str, host: Host) -> Kind:
        if not NAME.fullmatch(name):
            rule = "letters, digits and . _ - (first a letter or digit), at most 40"
            raise host.node.wrong(f"target name {shown(name)} is not allowed", f"use {rule}")
        groups = self.lineage(host.groups)
        kinds: list[Kind] = [kind for kind in get_args(Kind) if kind in groups]
        if len(kinds) == 2:
            raise host.mentions[-1].wrong(f"{name}: is in `production` and in `test`", "remove one of the two")
        if not kinds:
            raise host.node.wrong(f"{name}: is not in group `production` or `test`", "move it to one of the two")
        return kinds[0]

    def _rank(self, group: str) -> tuple[int, int, str]:
        given = self.vars[group].get("ansible_group_priority")
        return self._depth(group), given.value if given and isinstance(given.value, int) else 1, group

    def _depth(self, group: str) -> int:
        if group not in self._depths:
            self._depths[group] = 1 + max(self._depth(parent) for parent in self.parents[group])
            if self._depths[group] > DEEPEST:
                raise RecursionError(group)
        return self._depths[group]

    def _add(self, name: str, node: Node, parent: str | None) -> None:
        if parent is not None and name in self.lineage([parent]):
            raise node.wrong(f"group {shown(name)} is a child of itself", "remove it from this `children:`")
        self.vars.setdefault(name, {})
        self.parents.setdefault(name, set()).update([parent] if parent else [])
        for key, section in node.mapping(f"group {shown(name)}", "hosts: {NAME: {database: env:DATABASE_URL}}").items():
            if key not in SECTIONS:
                raise section.wrong(f"group {shown(name)} has an unknown key {shown(key)}", meant(key, SECTIONS))
            entries = section.mapping(f"`{key}` of group {shown(name)}", f"{key}: {{NAME: …}}")
            if key == "vars":
                self.vars[name].update(entries)
            for entry, value in entries.items() if key != "vars" else ():
                (self._add_host if key == "hosts" else self._add)(entry, value, name)

    def _add_host(self, name: str, node: Node, group: str) -> None:
        host = self.hosts.setdefault(name, Host())
        host.groups.add(group)
        host.mentions.append(node)
        host.vars.update(node.mapping(f"target {shown(name)}", "NAME: {database: env:DATABASE_URL}"))
