"""Railway's own backups, of a database's whole volume: the words that ask for them, and what is printed. Pure.

From release 5.33 the CLI has commands for them; an older one (5.28 and later) is given the same as GraphQL. Facts are
those of the CLI's public source.
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


def restoring(backup: str) -> Call:
    """Puts a backup in the place of the volume, and ends when that is deployed, or after half an hour.

    Railway copies it into a new volume and stages the exchange; the CLI then applies all that is staged in the
    environment. By GraphQL the two are apart, so an older CLI is not asked for it.
    """
    return Call(("backup", "restore", backup, "-y"), "", "", "")


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

    @property
    def taken(self) -> datetime | None:
        """When it was taken; None where Railway does not say."""
        return moment_of(self.created)


def moment_of(created: str) -> datetime | None:
    """A moment as Railway writes it; None where it is none."""
    try:
        found = datetime.fromisoformat(created)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


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
    return str(_instance(status, place).get("id", ""))


def volume_in(status: str, place: Place) -> str:
    """Which volume a service has in its environment, as one text to be compared; empty where it has none.

    Raises:
        ValueError: this is no project.
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
    """What asks for the changes that wait in an environment to be applied."""
    field = "environmentStagedChanges(environmentId: $environmentId) { status patch }"
    query = f"query($environmentId: String!) {{ {field} }}"
    return ("railway", "api", query, f"--raw-var=environmentId={place.environment}", "--compact")


def staged(said: str) -> bool:
    """Whether any are waiting.

    Raises:
        ValueError: this is no list of changes.
    """
    found = (json.loads(said).get("data") or {})["environmentStagedChanges"]
    patch = (found or {}).get("patch") or {}
    if not isinstance(patch, dict):
        raise ValueError("not what the CLI prints")
    return any(part not in ({}, None) for part in patch.values())


def refused(said: str) -> bool:
    """Whether a restore was refused before it began: then nothing of it goes on at Railway."""
    told = ("HA cluster", "Failed to restore from the backup", "RATELIMITED", "ratelimited", "non-interactive")
    return not_in_plan(said) or any(one in said for one in told)


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
