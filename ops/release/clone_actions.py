"""Tools of a clone: it is made like production, and compared with it before anything is rehearsed."""

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
    """Give a clone the settings of production's database, and say in what else it differs from it.

    Raises:
        Refused: its schema, or the kind of its text, is another one: what it would prove does not hold for production.
    """
    path = session.inventory.path(before)
    wanted, dumped = fingerprint.about_in(path), fingerprint.read(path)
    with session.connect(target) as production, session.connect(test, database) as clone:
        there, here = clone_match.about(production), clone_match.about(clone)
        if wrong := clone_match.locale_differs(wanted, here):
            raise Refused(
                f"{test}: the copy of {target} has {', '.join(wrong)}: text would be compared in another way",
                f"a test server that has production's locale   (inv doctor --target={target})",
            )
        left = clone_match.carry_settings(clone_match.own_settings(production), clone, private=bool(private))
        for connection in (production, clone):
            connection.execute(settings())
        if schema_digest(session, test, database) != dumped.schema:
            lines = clone_match.lines_differ(*map(clone_match.schema_lines, (production, clone)))
            _refuse_schema(target, test, lines)
    with session.connect(target, own=ALL) as production, session.connect(test, database, own=ALL) as clone:
        said = clone_match.settings_differ(production, clone)
    said = clone_match.versions_differ(there, here) + said
    said += [f"the setting {name} is not carried over" for name in left]
    kind = f"{here['encoding']}, {here['locale'] or here['collate']}"
    return f"schema, encoding and locale ({kind}) are production's" + "".join(f"\nWARNING: {one}" for one in said)


def _refuse_schema(target: str, test: str, lines: list[str]) -> None:
    first = "; ".join(line[:160] for line in lines[:3]) or "production's own schema was changed since the backup"
    raise Refused(
        f"{test}: the restored copy of {target} does not have the schema of the backup ({first}): what is rehearsed on "
        "it would be another change than on production",
        "a test server of production's version; or, where production's object can't be restored as it is, create it "
        "anew there   (docs/explanation/rehearsal.md)",
    )
