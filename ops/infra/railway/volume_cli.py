"""Railway's backups of a database's volume: the words of the commands, and the interpretation of the output. Pure.

Release 5.33 and newer of the CLI have commands for backups; for 5.28 and newer the same requests are made by GraphQL.
The facts are from the CLI's public source.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.infra.railway.railway_cli import Place

COMMANDS_SINCE = (5, 33, 0)
KINDS = ("daily", "weekly", "monthly")


@dataclass(frozen=True)
class Call:
    """One request, as words of the CLI and as GraphQL.

    ``field`` is the field of the GraphQL answer; ``head``, ``more``, ``answer`` and ``values`` make the document.
    """

    words: tuple[str, ...]
    field: str
    head: str
    more: str
    answer: str = ""
    values: tuple[tuple[str, str], ...] = ()

    def cli(self, place: Place) -> tuple[str, ...]:
        """Return the words for a CLI that has the command."""
        path, rest = self.words[:2], self.words[2:]
        return ("railway", "postgres", "pitr", *path, *rest, *place.words(), "--json")

    def api(self, instance: str) -> tuple[str, ...]:
        """Return the words for a CLI that lacks the command.

        Args:
            instance: the ID of the volume's instance in its environment; the volume's ID is not authorized.
        """
        given = "".join(f", ${name}: String!" for name, _ in self.values)
        handed = "".join(f", {name}: ${name}" for name, _ in self.values)
        query = f"{self.head}($volumeInstanceId: String!{given}) {{ {self.field}"
        query += f"(volumeInstanceId: $volumeInstanceId{handed}{self.more}) {self.answer}}}"
        named = (("volumeInstanceId", instance), *self.values)
        return ("railway", "api", query, *(f"--raw-var={name}={value}" for name, value in named), "--compact")


def listing() -> Call:
    """Return the request that lists all backups of the volume."""
    wanted = "{ id name createdAt expiresAt usedMB referencedMB } "
    return Call(("backup", "list"), "volumeInstanceBackupList", "query", "", wanted)


def creation(name: str) -> Call:
    """Return the request that starts a backup without waiting for it."""
    words = ("backup", "create", "--name", name)
    return Call(words, "volumeInstanceBackupCreate", "mutation", "", "{ workflowId } ", (("name", name),))


def locking(backup: str) -> Call:
    """Return the request that removes a backup's expiry permanently."""
    given = (("volumeInstanceBackupId", backup),)
    return Call(("backup", "lock", backup), "volumeInstanceBackupLock", "mutation", "", "", given)


def restoring(backup: str) -> Call:
    """Return the request that replaces the volume by a backup, and waits for the deployment, at most half an hour.

    Railway copies the backup into a new volume and stages the exchange; the CLI then applies all staged changes of the
    environment. GraphQL has separate requests for that, so an older CLI is not supported.
    """
    return Call(("backup", "restore", backup, "-y"), "", "", "")


def schedule_listing() -> Call:
    """Return the request that lists the kinds of automatic backups."""
    return Call(("schedule", "list"), "volumeInstanceBackupScheduleList", "query", "", "{ kind } ")


def scheduling(kinds: Sequence[str]) -> Call:
    """Return the request that sets the kinds of automatic backups; existing backups remain."""
    flags = tuple(f"--{kind}" for kind in kinds) or ("--none",)
    more = f", kinds: [{', '.join(kind.upper() for kind in kinds)}]"
    return Call(("schedule", "set", *flags), "volumeInstanceBackupScheduleUpdate", "mutation", more)


@dataclass(frozen=True)
class VolumeBackup:
    """A Railway backup of the complete volume, which is restored in place with downtime.

    ``expires`` is empty for a locked backup.
    """

    id: str
    name: str
    created: str
    expires: str
    megabytes: float

    @property
    def taken(self) -> datetime | None:
        """The time of the backup; None if unknown."""
        return moment_of(self.created)


def moment_of(created: str) -> datetime | None:
    """Parse a time of Railway; return None if the text is no time."""
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def backups(said: str, call: Call) -> list[VolumeBackup]:
    """Return the backups in the output of ``listing``, the newest first.

    Raises:
        ValueError: the output is no list of backups.
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
    """Return the kinds of automatic backups in the order of ``KINDS``.

    Raises:
        ValueError: the output is no list of schedules.
    """
    found = {str(one["kind"]).lower() for one in _list(said, call)}
    return tuple(kind for kind in KINDS if kind in found)


def instance_in(status: str, place: Place) -> str:
    """Return the ID of a service's volume instance from the output of ``railway status``; empty if it has no volume.

    Raises:
        ValueError: the output is no project.
    """
    return str(_instance(status, place).get("id", ""))


def volume_in(status: str, place: Place) -> str:
    """Return the identity of a service's volume in its environment as text; empty if it has no volume.

    Raises:
        ValueError: the output is no project.
    """
    found = _instance(status, place)
    return f"{found.get('id', '')} {(found.get('volume') or {}).get('id', '')}".strip()


def _instance(status: str, place: Place) -> dict[str, Any]:
    for edge in json.loads(status)["environments"]["edges"]:
        if edge["node"]["id"] == place.environment:
            for volume in edge["node"].get("volumeInstances", {}).get("edges", []):
                if volume["node"].get("serviceId") == place.service:
                    return dict(volume["node"])
    return {}


def staged_words(place: Place) -> tuple[str, ...]:
    """Return the command that lists the staged changes of an environment."""
    field = "environmentStagedChanges(environmentId: $environmentId) { status patch }"
    query = f"query($environmentId: String!) {{ {field} }}"
    return ("railway", "api", query, f"--raw-var=environmentId={place.environment}", "--compact")


def staged(said: str) -> bool:
    """Return True if the environment has staged changes.

    Raises:
        ValueError: the output is no list of changes.
    """
    found = (json.loads(said).get("data") or {})["environmentStagedChanges"]
    patch = (found or {}).get("patch") or {}
    if not isinstance(patch, dict):
        raise ValueError("unexpected output of the CLI")
    return any(part not in ({}, None) for part in patch.values())


def refused(said: str) -> bool:
    """Return True if a restore was refused before it began, so that Railway does not continue it."""
    told = ("HA cluster", "Failed to restore from the backup", "RATELIMITED", "ratelimited", "non-interactive")
    return not_in_plan(said) or any(one in said for one in told)


def not_in_plan(said: str) -> bool:
    """Return True if a call was refused because the plan or the token does not include backups.

    Railway reports a missing grant for a login, and "unauthorized" for a token, even if the token may read other data.
    """
    told = ("OAUTH_INSUFFICIENT_GRANT", "You do not have access to this resource", "UNAUTHORIZED", "Unauthorized")
    return any(one in said for one in (*told, "Not Authorized"))


def _list(said: str, call: Call) -> list[dict[str, Any]]:
    found = json.loads(said)
    if isinstance(found, dict):
        found = (found.get("data") or {}).get(call.field)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("unexpected output of the CLI")
    return found
