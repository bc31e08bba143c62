"""Checks of rights (docs/how-to/rights.md) and of the test server."""

from __future__ import annotations

from typing import Any

from ops.core.errors import Code, Unreachable
from ops.core.files import write_whole
from ops.core.sql_names import identifier
from ops.core.text import counted, listed
from ops.doctor.check import Finding, Subject, check, fail, ok, warn
from ops.engine.command import Query
from ops.infra.postgres.client import json_lines, said_error
from ops.infra.postgres.grants import membership
from ops.infra.session.server import no_production
from ops.procedures.planning.same_places import HOW_ELSE, MAINTENANCE, NAMED_SO
from ops.recovery.rollback.replication import followers
from ops.release.production.writers import told, writers

DOCS = "   (docs/how-to/rights.md)"


@check("reading", "server", "tools")
def reading(subject: Subject) -> Finding:
    """Check that the role may read every table, sequence and large object, and that no policy hides rows.

    A backup fails on an object that the role may not read; it never omits the object.
    """
    found = subject.rights
    role = identifier(found["role"])
    if found["unreadable"]:
        words = f"{found['role']} may not read {listed(found['unreadable'])}"
        return fail(words, f"GRANT pg_read_all_data TO {role}{DOCS}")
    if found["hidden"]:
        words = f"policies hide rows of {listed(found['hidden'])} from {found['role']}"
        return fail(words, f"ALTER ROLE {role} BYPASSRLS{DOCS}")
    if found["large"]:
        words = f"{found['role']} may not read {counted(found['large'], 'large object')}"
        named = ", ".join(str(number) for number in found["first"]) + (", …" if found["large"] > 3 else "")
        return fail(words, f"GRANT SELECT ON LARGE OBJECT {named} TO {role}{DOCS}")
    return ok(f"{found['role']} may read every table, sequence and large object")


@check("changing", "server", "tools")
def changing(subject: Subject) -> Finding:
    """Check that the role has the rights that a freeze, a promotion and a rollback need.

    The role must own the database, be able to create databases, connect to the database `postgres`, and be a member of
    the roles that own the tables. The database `postgres` must exist and must not be production. pg_hba.conf must admit
    the role to the databases that a rollback creates. No setting of the role may make its sessions read-only.
    """
    found, live = subject.rights, subject.session.database(subject.target)
    role, name = identifier(found["role"]), identifier(live)
    # The run lock is taken in the database postgres, and databases are renamed from there.
    if live == MAINTENANCE:
        return fail(NAMED_SO.format(live), HOW_ELSE)
    subject.session.connect(subject.target, MAINTENANCE).close()
    if closed := _kept_out(subject, f"{live}_restored_20000101_000000_0000"):
        return closed
    lacks = []
    if not found["owns"]:
        lacks.append((f"does not own {live}", f"ALTER DATABASE {name} OWNER TO {role}"))
    if not found["creates"]:
        lacks.append(("may not create databases", f"ALTER ROLE {role} CREATEDB"))
    if found["reads_only"]:
        way = f"ALTER ROLE {role} RESET default_transaction_read_only; ALTER ROLE {role} IN DATABASE {name} RESET "
        lacks.append(("has its own read-only setting", f"{way}default_transaction_read_only"))
    if found["foreign"]:
        way = _member(found["foreign"], role, int(subject.identity["number"])) or f"ALTER TABLE … OWNER TO {role}"
        lacks.append((f"may not change tables of {listed(list(found['foreign']))}", way))
    if lacks:
        words = " and ".join(said for said, _ in lacks)
        words = f"{found['role']} {words}: no release and no rollback is possible"
        return fail(words, "; ".join(way for _, way in lacks) + DOCS)
    return ok(f"{found['role']} may freeze, migrate, swap and create databases")


def _kept_out(subject: Subject, made: str) -> Finding | None:
    """Return a failure if pg_hba.conf rejects connections to a database that a rollback creates; None otherwise.

    The server checks pg_hba.conf before it checks that the database exists.
    """
    try:
        subject.session.connect(subject.target, made).close()
    except Unreachable as error:
        if error.code == Code.NO_HBA_ENTRY:
            words = f"pg_hba.conf rejects the role for databases that a rollback creates, such as {made}"
            return fail(words, "write `all` for the database in pg_hba.conf, then SELECT pg_reload_conf()")
    return None


def _member(roles: dict[str, bool], role: str, number: int) -> str:
    """Return the SQL that makes a role a member of others; empty if one of them is a superuser.

    Args:
        roles: the other roles; the value is True for a superuser.
        role: the role that becomes a member, quoted for SQL.
        number: the version number of the server.
    """
    if any(roles.values()):
        return ""
    return "; ".join(membership(name, role, number) for name in list(roles)[:3])


@check("settings", "server", "tools", "changing")
def settings(subject: Subject) -> Finding:
    """Check that the role may set the settings of the database again, as a rollback does.

    Each setting is tried in a transaction that is rolled back. If the server would refuse a setting, a release and a
    rollback are refused.
    """
    given = {"live": subject.session.database(subject.target)}
    done = subject.session.run(Query("check_settings.sql", subject.target, "postgres", given))
    if done.exit == 0:
        return ok("this role may set all of them again")
    for found in json_lines(done.out):
        words = f"this role may not set settings of the database, so a rollback would fail: {found['refused']}"
        return fail(words, f"{found['ways']}{DOCS}")
    return fail(said_error(done.err), f"inv status --target={subject.production}")


@check("sessions", "server", "tools")
def sessions(subject: Subject) -> Finding:
    """Check that no session, prepared transaction or replication could write to a frozen production.

    Such a session would also block a swap.
    """
    found = subject.rights
    if there := writers(subject.session, subject.target):
        who, stop = told(there)
        refuse = fail if any(one.lasting for one in there) else warn
        return refuse(f"could still write to a frozen production, so a freeze is refused: {who}", stop + DOCS)
    if found["strangers"]:
        who = listed(list(found["strangers"]))
        words = f"{found['role']} may not terminate the sessions of {who}, which block a swap"
        way = _member(found["strangers"], identifier(found["role"]), int(subject.identity["number"]))
        return warn(words, way + DOCS if way else f"end the sessions of {who} before a release or a rollback")
    return ok("no session that blocks a freeze or a swap")


@check("replication", "server", "tools")
def replication(subject: Subject) -> Finding:
    """Check that no replication slot, publication, subscription or pg_cron job belongs to the database.

    A rollback does not transfer them, and an unused slot retains WAL until the disk is full. Warns about each of them.
    """
    found = followers(subject.session, subject.target)
    if not found:
        return ok("no slot, publication, subscription or pg_cron job that a rollback would not transfer")
    first = next((one for one in found if one.kind != "publication"), found[0])
    told = "".join(f"\n{'':10}{one.sentence}" for one in found)
    names = listed([f"{one.kind} {one.name}" for one in found], 9)
    return warn(f"a rollback does not transfer: {names}{told}", first.then)


@check("other", "server", "tools", "production's server", of=("test",))
def other(subject: Subject) -> Finding:
    """Check that the test database is not a production database, and if it exists, that it is a clone of its target."""
    session, name = subject.session, subject.session.database(subject.target)
    production = subject.of(subject.production)
    there = subject.identity
    if (production.identity["system"], session.database(production.target)) == (there["system"], name):
        words = f"the test database is the database of {subject.production}: {name} on the same server"
        return fail(words, f"set {subject.reference} to the address of another database")
    no_production(session, subject.entry, name, there["system"])
    if name not in there["databases"]:
        return ok(f"{name} does not exist yet; the first clone creates it")
    mark = there["databases"][name].split("\n")[0]
    if mark.startswith(f"generalprobe clone of {subject.production}, run "):
        return ok(f"{name}: {mark.removeprefix('generalprobe ')}")
    words = f"{name} is not a clone of {subject.production}" + (f" (its mark: {mark})" if mark else "")
    return warn(f"{words}; the next clone takes its name and sets it aside", f"psql, to check whether {name} is needed")


@check("cloning", "server", "tools", of=("test",))
def making(subject: Subject) -> Finding:
    """Check that the role may create databases on the test server, and owns the test database if it exists."""
    found, name = subject.rights, subject.session.database(subject.target)
    role = identifier(found["role"])
    if not found["creates"]:
        return fail(f"{found['role']} may not create databases: no clone", f"ALTER ROLE {role} CREATEDB{DOCS}")
    if found["reads_only"]:
        words = f"{found['role']} has its own read-only setting: no clone"
        return fail(words, f"ALTER ROLE {role} RESET default_transaction_read_only{DOCS}")
    if found["exists"] and not found["owns"]:
        words = f"{name} belongs to {found['owner']}, so {found['role']} may not rename it"
        return fail(words, f"ALTER DATABASE {identifier(name)} OWNER TO {role}{DOCS}")
    return ok(f"{found['role']} may create clones")


@check("likeness", "server", "tools", "production's server", of=("test",))
def likeness(subject: Subject) -> Finding:
    """Check that the test server supports production's encoding and locale, and has the roles of its policies.

    Under another locale, text compares and sorts differently, so a migration that succeeds on the clone can fail in
    production. Warns if the server has another major version.
    """
    session, production = subject.session, subject.of(subject.production)
    done = session.run(Query("about.sql", production.target))
    path = session.secrets.private / f"{production.target}.about.jsonl"
    write_whole(path, done.out)
    fits = done if done.exit else session.run(Query("check_fits.sql", subject.target, "postgres", {"from": str(path)}))
    if fits.exit:
        return fail(said_error(fits.err), "use a test server like production's   (docs/explanation/rehearsal.md)")
    here, there = (int(one.identity["number"]) // 10000 for one in (subject, production))
    if here != there:
        words = f"PostgreSQL {here}, and {there} in production: the schemas may differ, and the clone is then refused"
        return warn(words, f"use a test server of PostgreSQL {there}")
    about: Any = json_lines(done.out)[0]["about"]
    return ok(f"{about['encoding']}, {about['locale'] or about['collate']}, as in production")


@check("extensions", "server", "tools", "production's server", of=("test",))
def extensions(subject: Subject) -> Finding:
    """Check that this role may create every extension of production on the test server."""
    wanted = subject.of(subject.production).rights["extensions"]
    offered = subject.rights["offered"]
    if missing := [name for name in wanted if name not in offered]:
        return fail(f"the test server does not have {listed(missing)}", f"install {listed(missing)} on the test server")
    if closed := [name for name in wanted if not offered[name]]:
        words = f"only a superuser may create {listed(closed)} on the test server"
        return fail(words, f"ALTER ROLE {identifier(subject.rights['role'])} SUPERUSER   on the test server{DOCS}")
    return ok(f"all of production's: {listed(wanted)}" if wanted else "none needed")
