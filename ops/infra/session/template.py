"""Choose the template of a restored database, which may need extensions that only a superuser may create."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from ops.core.errors import Unreachable
from ops.infra.session.session import Session

PLAIN, OTHER = "template0", "template1"

# The extensions of this database that this role may not create, and all extensions of this database.
_WANTED = """
SELECT ARRAY(SELECT extname::text FROM pg_catalog.pg_extension e WHERE NOT (SELECT rolsuper FROM pg_catalog.pg_roles
             WHERE rolname = current_user) AND EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v
             WHERE v.name = extname AND v.version = extversion AND v.superuser AND NOT v.trusted)),
       ARRAY(SELECT extname::text FROM pg_catalog.pg_extension)
"""
_LIKE = """
SELECT to_jsonb(d) - ARRAY['oid', 'datname', 'datdba', 'datistemplate', 'datallowconn', 'dathasloginevt', 'datacl',
       'datconnlimit', 'datfrozenxid', 'datminmxid', 'dattablespace', 'datcollversion', 'datlastsysoid']
FROM pg_catalog.pg_database d WHERE datname = current_database()
"""
# The number of other objects, which the restored database would also contain.
_MORE = """
SELECT count(*) FROM (
    SELECT 'pg_class'::regclass AS class, oid FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_toast'
    UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc
    UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspname !~ '^pg_') o
WHERE oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid
                                       AND d.deptype IN ('e', 'i'))
"""


def template(session: Session, target: str) -> str:
    """Return the template for a database that is restored beside a target's database; usually ``template0``.

    Return ``template1`` if the database has extensions that this role may not create, and an administrator has created
    them in ``template1``, provided that ``template1`` has the same encoding and locale and no other objects.

    Raises:
        Unreachable: the server does not answer.
    """
    with session.connect(target) as connection:
        lacking, there = _asked(connection, _WANTED)
        like = _asked(connection, _LIKE)
    if not lacking:
        return PLAIN
    try:
        with session.connect(target, OTHER) as connection:
            _, brought = _asked(connection, _WANTED)
            fits = _asked(connection, _LIKE) == like and _asked(connection, _MORE) == (0,)
    except Unreachable:
        return PLAIN
    return OTHER if fits and {*brought} <= {*there} and not {*brought}.isdisjoint(lacking) else PLAIN


def _asked(connection: Connection[Any], text: str) -> tuple[Any, ...]:
    return tuple(connection.execute(text.encode()).fetchone() or ())
