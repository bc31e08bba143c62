"""Railway's own backups, of a database's whole volume: the words that ask for them, and what is printed. Pure.

From release 5.33 the CLI has commands for them; an older one (5.28 and later) is given the same as GraphQL. Facts are
those of the CLI's public source.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ops.railway import Place

COMMANDS_SINCE = (5, 33, 0)
KINDS = ("daily", "weekly", "monthly")


@dataclass(frozen=True)
class Call:
    """One thing to ask for: the CLI's own words, and the GraphQL that means the same.

    ``field`` holds the answer of the GraphQL, ``head`` and ``more`` make its document.
    """

    words: tuple[str, ...]
    field: str
    head: str
    more: str
    answer: str = ""
    values: tuple[tuple[str, str], ...] = ()

    def cli(self, place: Place) -> tuple[str, ...]:
        """The words for a CLI that has the command."""
        path, rest = self.words[:2], self.words[2:]
        return ("railway", "postgres", "pitr", *path, *rest, *place.words(), "--json")

    def api(self, instance: str) -> tuple[str, ...]:
        """The words for one that has not.

        Args:
            instance: the ID of the volume's instance in its environment; a volume's own ID is not authorized.
        """
        given = "".join(f", ${name}: String!" for name, _ in self.values)
        handed = "".join(f", {name}: ${name}" for name, _ in self.values)
        query = f"{self.head}($volumeInstanceId: String!{given}) {{ {self.field}"
        query += f"(volumeInstanceId: $volumeInstanceId{handed}{self.more}) {self.answer}}}"
        named = (("volumeInstanceId", instance), *self.values)
        return ("railway", "api", query, *(f"--raw-var={name}={value}" for name, value in named), "--compact")


def listing() -> Call:
    """All backups of the volume."""
    wanted = "{ id name createdAt expiresAt usedMB referencedMB } "
    return Call(("backup", "list"), "volumeInstanceBackupList", "query", "", wanted)


def creation(name: str) -> Call:
    """Begins a backup, and does not wait for it."""
    words = ("backup", "create", "--name", name)
    return Call(words, "volumeInstanceBackupCreate", "mutation", "", "{ workflowId } ", (("name", name),))


def locking(backup: str) -> Call:
    """Takes a backup's expiry away; there is no way to put it back but to delete the backup."""
    given = (("volumeInstanceBackupId", backup),)
    return Call(("backup", "lock", backup), "volumeInstanceBackupLock", "mutation", "", "", given)


def schedule_listing() -> Call:
    """The kinds of automatic backups that are set."""
    return Call(("schedule", "list"), "volumeInstanceBackupScheduleList", "query", "", "{ kind } ")


def scheduling(kinds: Sequence[str]) -> Call:
    """Sets which automatic backups there are; none of them for an empty list. Backups that are there stay."""
    flags = tuple(f"--{kind}" for kind in kinds) or ("--none",)
    more = f", kinds: [{', '.join(kind.upper() for kind in kinds)}]"
    return Call(("schedule", "set", *flags), "volumeInstanceBackupScheduleUpdate", "mutation", more)


@dataclass(frozen=True)
class VolumeBackup:
    """One of Railway's own backups: of the whole volume, on Railway, restored in place with downtime.

    ``expires`` is empty for one that is locked.
    """

    id: str
    name: str
    created: str
    expires: str
    megabytes: float


def backups(said: str, call: Call) -> list[VolumeBackup]:
    """The backups, the newest first.

    Raises:
        ValueError: this is no list of backups.
    """
    newest = sorted(_list(said, call), key=lambda one: str(one.get("createdAt", "")), reverse=True)
    return [
        VolumeBackup(
            str(one["id"]),
            str(one.get("name") or ""),
            str(one.get("createdAt") or ""),
            str(one.get("expiresAt") or ""),
            float(one.get("usedMB") or one.get("referencedMB") or 0),
        )
        for one in newest
    ]


def kinds(said: str, call: Call) -> tuple[str, ...]:
    """The kinds of automatic backups, in the order of ``KINDS``.

    Raises:
        ValueError: this is no list of schedules.
    """
    found = {str(one["kind"]).lower() for one in _list(said, call)}
    return tuple(kind for kind in KINDS if kind in found)


def instance_in(status: str, place: Place) -> str:
    """The ID of a service's volume in its environment, from what ``railway status`` prints; empty where it has none.

    Raises:
        ValueError: this is no project.
    """
    for edge in json.loads(status)["environments"]["edges"]:
        if edge["node"]["id"] == place.environment:
            for volume in edge["node"].get("volumeInstances", {}).get("edges", []):
                if volume["node"].get("serviceId") == place.service:
                    return str(volume["node"]["id"])
    return ""


def not_in_plan(said: str) -> bool:
    """Whether a refusal means that the plan, or the token, does not include backups; to log in again does not help.

    A login is told so as a missing grant, a token as unauthorized, also where it may read all else.
    """
    told = ("OAUTH_INSUFFICIENT_GRANT", "You do not have access to this resource", "UNAUTHORIZED", "Unauthorized")
    return any(one in said for one in (*told, "Not Authorized"))


def _list(said: str, call: Call) -> list[dict[str, Any]]:
    found = json.loads(said)
    if isinstance(found, dict):
        found = (found.get("data") or {}).get(call.field)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("not what the CLI prints")
    return found
