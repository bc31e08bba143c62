"""Return the inputs that need only the inventory and no server, and join inputs of several sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.inventory.targets import Target

Given = dict[str, Any]


def join(*parts: Mapping[str, Any]) -> Given:
    """Join inputs of several sources. If two sources give the same input, the later one is used."""
    found: Given = {}
    for part in parts:
        for name, value in part.items():
            before = found.get(name)
            found[name] = join(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


def from_inventory(entry: Target) -> Given:
    """Return every input that the inventory gives for a run of this target."""
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
    """Return the recipients of new backups and the place of the secret key; empty without encryption."""
    if entry.encrypt is None:
        return {}
    return {"recipients": entry.encrypt.recipients, "identity": entry.encrypt.identity or "", "sealed": True}


def health_inputs(entry: Target) -> Given | None:
    """Return the inventory's health check. A command without a timeout is tried once."""
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
