"""Make a clone like production and compare it with production before a rehearsal."""

from __future__ import annotations

from ops.core.errors import Refused
from ops.engine.registry import tool
from ops.infra.postgres.session_settings import ALL
from ops.infra.session.server import schema_digest
from ops.infra.session.session import Session
from ops.release import clone_match
from ops.verdict import fingerprint
from ops.verdict.databases import settings


@tool
def match_clone(session: Session, *, target: str, test: str, database: str, before: str, private: str = "") -> str:
    """Copy the settings of production's database to a clone. Report how the clone still differs from production.

    Raises:
        Refused: the schema or the locale differs, so a rehearsal would not prove anything for production.
    """
    path = session.inventory.path(before)
    wanted, dumped = fingerprint.about_in(path), fingerprint.read(path)
    with session.connect(target) as production, session.connect(test, database) as clone:
        there, here = clone_match.about(production), clone_match.about(clone)
        if wrong := clone_match.locale_differs(wanted, here):
            raise Refused(
                f"{test}: the clone of {target} has {', '.join(wrong)}: text would sort or compare differently",
                f"use a test server with production's locale   (inv doctor --target={target})",
            )
        left = clone_match.carry_settings(clone_match.own_settings(production), clone, private=bool(private))
        for connection in (production, clone):
            connection.execute(settings())
        if schema_digest(session, test, database) != dumped.schema:
            lines = clone_match.lines_differ(*map(clone_match.schema_lines, (production, clone)))
            _refuse_schema(target, test, lines, other_version=bool(clone_match.versions_differ(there, here)))
    with session.connect(target, own=ALL) as production, session.connect(test, database, own=ALL) as clone:
        said = clone_match.settings_differ(production, clone)
    said = clone_match.versions_differ(there, here) + said
    said += [f"the setting {name} could not be copied" for name in left]
    kind = f"{here['encoding']}, {here['locale'] or here['collate']}"
    return f"schema, encoding and locale ({kind}) are production's" + "".join(f"\nWARNING: {one}" for one in said)


def _refuse_schema(target: str, test: str, lines: list[str], *, other_version: bool) -> None:
    first = "; ".join(line[:160] for line in lines[:3]) or "production's schema changed since the backup"
    right = "use a test server of production's version" if other_version else "create these objects in production again"
    raise Refused(
        f"{test}: the clone of {target} does not have the schema of the backup, so a rehearsal would prove nothing: "
        f"{first}",
        f"{right}   (docs/explanation/rehearsal.md)",
    )
