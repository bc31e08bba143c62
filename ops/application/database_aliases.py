"""The databases of an application beside its own: where each leads in a rehearsal, and what its sessions are told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.application.manage import REHEARSAL, TOLD
from ops.core.errors import Refused

Found = Mapping[str, Any]


def check_isolated(target: str, found: Found) -> None:
    """Refuse to rehearse where the application would reach a database that is no clone.

    Args:
        target: whose application it is.
        found: what it said of itself while it was told of a rehearsal. Its own database may have been production's:
            what is asked is where the others lead.

    Raises:
        Refused: one of them leads elsewhere; the message says which, and what to write.
    """
    own = (found["system"], found["database"])
    for alias, there in found["aliases"].items():
        if said := leads_elsewhere(there, own):
            condition = f'if os.environ.get("{REHEARSAL[0]}") == "{REHEARSAL[1]}"'
            raise Refused(
                f"{target}: in a rehearsal its database alias {alias!r} leads to {said}: migrations could change it "
                "there, and nobody would know",
                f'{condition}: DATABASES["{alias}"] = {{}}   in its settings (or the address of a clone); where they '
                "read a variable: app: {rehearsal_env: {VARIABLE: …}} in the inventory (docs/explanation/rehearsal.md)",
            )


def leads_elsewhere(there: Found, own: tuple[str, str]) -> str:
    """Where an alias leads, in words, where that is neither the rehearsal's database nor any clone; else empty.

    Args:
        there: what the probe found of it.
        own: system and database that the rehearsal works on.
    """
    if there["disabled"] or there.get("memory"):
        return ""
    if there["vendor"] != "postgresql":
        return f"{there['vendor']}, of which no clone can be made here"
    if error := there.get("error"):
        return f"a database that can't be connected to ({error})"
    if (there["system"], there["database"]) == own or there["clone"]:
        return ""
    return f"the database {there['database']}, which is not a clone"


def others(found: Found) -> list[str]:
    """The aliases that lead to a database other than the one that is released, in production."""
    own = (found["system"], found["database"])
    return [
        alias
        for alias, there in found["aliases"].items()
        if not there["disabled"] and (there.get("system"), there.get("database")) != own
    ]


def check_told(target: str, found: Found) -> None:
    """Refuse where what a session is told at its start does not reach the server.

    Raises:
        Refused: migrations would run without their lock_timeout, and a frozen production could not be migrated.
    """
    there = found["aliases"]["default"]
    if wrong := [f"{name} is {there.get(name)}" for name, value in TOLD.items() if there.get(name) != value]:
        raise Refused(
            f"{target}: what its sessions are told at their start (PGOPTIONS) does not arrive at the server "
            f"({' and '.join(wrong)}): OPTIONS in its settings replace it, or a pooler drops it",
            '"OPTIONS": {"options": os.environ.get("PGOPTIONS", "") + " -c …"}   in its settings; behind a pooler: the '
            f"server's own address   (inv doctor --target={target})",
        )
