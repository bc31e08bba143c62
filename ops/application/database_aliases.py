"""Check the application's database aliases in a rehearsal, and the settings that its sessions receive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.application.manage import REHEARSAL, TOLD
from ops.core.errors import Refused

Found = Mapping[str, Any]


def check_isolated(target: str, found: Found) -> None:
    """Refuse a rehearsal in which the application would reach a database that is not a clone.

    Args:
        target: the target of the application.
        found: the probe's report, made in the environment of a rehearsal. The default database may have been
            production's; the function checks the other aliases.

    Raises:
        Refused: an alias leads to a database that is not a clone.
    """
    own = (found["system"], found["database"])
    for alias, there in found["aliases"].items():
        if said := leads_elsewhere(there, own):
            condition = f'if os.environ.get("{REHEARSAL[0]}") == "{REHEARSAL[1]}"'
            raise Refused(
                f"{target}: in a rehearsal the database alias {alias!r} leads to {said}: migrations could change that "
                "database unnoticed",
                f'{condition}: DATABASES["{alias}"] = {{}}   in its settings   (docs/explanation/rehearsal.md)',
            )


def leads_elsewhere(there: Found, own: tuple[str, str]) -> str:
    """Describe the database of an alias if it is neither the rehearsal's database nor a clone; else return "".

    Args:
        there: the probe's report of the alias.
        own: system identifier and name of the rehearsal's database.
    """
    if there["disabled"] or there.get("memory"):
        return ""
    if there["vendor"] != "postgresql":
        return f"{there['vendor']}, which cannot be cloned"
    if error := there.get("error"):
        return f"a database that can't be connected to ({error})"
    if (there["system"], there["database"]) == own or there["clone"]:
        return ""
    return f"the database {there['database']}, which is not a clone"


def others(found: Found) -> list[str]:
    """Return the aliases that lead in production to a database other than the released one."""
    own = (found["system"], found["database"])
    return [
        alias
        for alias, there in found["aliases"].items()
        if not there["disabled"] and (there.get("system"), there.get("database")) != own
    ]


def check_told(target: str, found: Found) -> None:
    """Refuse if the settings of a session's start (PGOPTIONS) do not reach the server.

    Without them, migrations would run without lock_timeout, and a frozen production could not be migrated.

    Raises:
        Refused: a setting has another value on the server.
    """
    there = found["aliases"]["default"]
    if wrong := [f"{name} is {there.get(name)}" for name, value in TOLD.items() if there.get(name) != value]:
        raise Refused(
            f"{target}: the settings in PGOPTIONS do not reach the server "
            f"({' and '.join(wrong)}): OPTIONS in the application's settings replace them, or a pooler drops them",
            '"OPTIONS": {"options": os.environ.get("PGOPTIONS", "") + " -c …"}   in its settings, or the server\'s own '
            f"address if a pooler is between   (inv doctor --target={target})",
        )
