"""Judge a trial restore beside production: everything that a rollback could not restore, and what to type."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.backups import restored_objects as objects
from ops.core.sql_names import quoted
from ops.core.text import listed
from ops.infra.postgres.client import json_lines
from ops.infra.postgres.failure_text import Trouble, troubles
from ops.infra.session.session import Session
from ops.verdict import fingerprint

MOST = 5


@dataclass(frozen=True)
class Trial:
    """Hold the result of a trial.

    ``objects`` counts the objects of the backup. ``notes`` do not stop a rollback. ``late`` lists work at a
    restore's end."""

    objects: int
    role: str
    troubles: list[Trouble] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """Return the objects that could not be restored, a line each with what to type."""
        lines = [f"{one.sentence}\n      type: {one.then}" if one.then else one.sentence for one in self.troubles]
        shown = lines if len(lines) <= 2 * MOST else [*lines[:MOST], f"and {len(lines) - MOST} more"]
        return "".join(f"\n  {line}" for line in shown)

    @property
    def hint(self) -> str:
        """Return the first thing to type."""
        anew = "correct or drop that on production, then   inv backup"
        return next((one.then for one in self.troubles if one.then), anew)

    @property
    def sentence(self) -> str:
        """Return the report of a trial without troubles."""
        said = f"{self.objects:,} objects were restored beside production as {self.role}, with owners and grants"
        said += "".join(f"; {note}" for note in self.late)
        return said + "".join(f"\nWARNING: {note}" for note in self.notes)

    def data(self) -> dict[str, Any]:
        """Return the result for the certificate."""
        told = [{"object": one.object, "said": one.sentence, "type": one.then} for one in self.troubles]
        return {"objects": self.objects, "role": self.role, "troubles": told, "notes": self.notes, "late": self.late}


def judge(session: Session, target: str, before: Path, after: Path, said: Path, fragile: Path, empty: Path) -> Trial:
    """Compare the restored schema and the output of pg_restore with the backup's list of objects.

    Args:
        before: the backup's fingerprint.
        after: the fingerprint of the restored schema.
        said: the output of pg_restore.
        fragile: the functions that may fail in a restore.
        empty: the materialized views that stay empty.

    Raises:
        OpsError: a file can't be read, or the server does not answer.
    """
    one, two = fingerprint.read(before), fingerprint.read(after)
    role = session.role(target)
    text = said.read_text(encoding="utf-8", errors="replace")
    with session.connect(target) as connection:
        supers = {str(name) for (name,) in connection.execute("SELECT rolname FROM pg_roles WHERE rolsuper")}
    found = troubles(text, role, frozenset(supers))
    # Large objects are rows: a restored schema has none, or empty ones from a pg_dump before 17.
    wanted, made = (
        {key: said for key, said in side.objects.items() if not key[1].startswith("large object")}
        for side in (one, two)
    )
    lacking = objects.missing(wanted, made, (one.server, two.server))
    if found:
        # A missing object lacks its properties, too. A missing grant is only a warning of pg_restore.
        said_of = [trouble.object for trouble in found]
        rights = [line for line in lacking if line.startswith("grants of ")]
        lacking = [line for line in rights if not any(name in line for name in said_of)]
    found += [Trouble(line, then=_then(line, role)) for line in lacking]
    count = len([kind for kind, _ in one.objects if kind == "object"])
    notes = [*_notes(one, two), *_fragile(fragile), *json.loads(empty.read_text(encoding="utf-8"))]
    return Trial(count, role, found, notes, [*_late(one), *objects.left_open(wanted, made)])


def _then(line: str, role: str) -> str:
    """Return what to type if a restored schema lacks something without an error: mostly rights of another role."""
    if not line.startswith(("grants of ", "owner of ", "default privileges of ")):
        return ""
    return f"ALTER ROLE {quoted(role)} SUPERUSER   (or grant the default rights to the role, then inv backup)"


def _notes(one: fingerprint.Fingerprint, two: fingerprint.Fingerprint) -> list[str]:
    """Return the extensions of which a restore installs another version."""
    return [
        f"{name} is at {version}, and a restore installs {two.objects['version', name]}: ALTER {name} UPDATE   on "
        "production, after its release notes"
        for (kind, name), version in sorted(one.objects.items())
        if kind == "version" and two.objects.get((kind, name), version) != version
    ]


def _fragile(path: Path) -> list[str]:
    """Return functions that depend on search_path: with rows, a restore can fail or skip something."""
    callers: dict[tuple[str, str], list[str]] = {}
    for line in json_lines(path.read_text(encoding="utf-8", errors="replace")):
        if not line["other"]:
            callers.setdefault((str(line["function"]), str(line["what"])), []).append(str(line["by"]))
    return [
        f"function {name} finds {what} by search_path only, and a restore has none ({listed(by)}): ALTER FUNCTION "
        f"{name} SET search_path = …   on production"
        for (name, what), by in callers.items()
    ]


def _late(one: fingerprint.Fingerprint) -> list[str]:
    """Return what a restore does at its end, after all rows."""
    late = sorted(name for kind, name in one.objects if kind == objects.LOOSE)
    checks = [name for name in late if not name.startswith("materialized view ")]
    said = f"checks that depend on more than their row are validated at the end of a restore: {listed(checks)}"
    return [said] if checks else []
