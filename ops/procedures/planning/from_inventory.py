"""What the inventory alone says of a run, without a look at any server; and how inputs of two sources are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.inventory.targets import Target

Given = dict[str, Any]


def join(*parts: Mapping[str, Any]) -> Given:
    """Join inputs of several sources; where two say the same, the later one counts."""
    found: Given = {}
    for part in parts:
        for name, value in part.items():
            before = found.get(name)
            found[name] = join(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def from_inventory(entry: Target) -> Given:
    """Everything that the inventory says of a run of this target."""
    railway = entry.railway
    return {
        "target": entry.name,
        "store": entry.folder,
        "remote": entry.remote,
        "encryption": encryption(entry),
        "dump": {},
        "deploy": {"command": entry.deploy or (), "railway": (railway.deploy or "") if railway else ""},
        "health": health_inputs(entry),
        "locks": {"timeout": entry.lock_timeout, "retries": entry.retries},
        "railway": {"backups": railway.backups} if railway else {},
        "release": {"checks": entry.checks},
    }


def encryption(entry: Target) -> Given:
    """To whom new backups are encrypted, and where the secret key is; nothing where they are not."""
    if entry.encrypt is None:
        return {}
    return {"recipients": entry.encrypt.recipients, "identity": entry.encrypt.identity or "", "sealed": True}


def health_inputs(entry: Target) -> Given | None:
    """The inventory's health check; a command without a timeout is tried once."""
    health = entry.health
    if health is None:
        return None
    return {
        "url": health.url or "",
        "command": health.command or (),
        "status": health.status,
        "timeout": health.timeout or 0,
        "every": health.every,
    }
