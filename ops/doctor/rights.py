"""Checks of rights (docs/how-to/rights.md), and of the test server: may it be overwritten, can it hold a clone."""

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

    What the role may not read is an error of a backup, and is never left out.
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
    """Check that the role may do what a freeze, a promotion and a rollback need.

    The role owns the database, may create databases, may connect to the database `postgres`, and is a member of the
    roles that own the tables. The database `postgres` is there and is not production itself, pg_hba.conf admits the
    role to the databases that a rollback makes, and no setting of the role's own makes it read-only.
    """
    found, live = subject.rights, subject.session.database(subject.target)
    role, name = identifier(found["role"]), identifier(live)
    # The run lock, and every command that renames, is on the database postgres.
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
        lacks.append(("only reads, by a setting of its own", f"{way}default_transaction_read_only"))
    if found["foreign"]:
        way = _member(found["foreign"], role, int(subject.identity["number"])) or f"ALTER TABLE … OWNER TO {role}"
        lacks.append((f"may not change tables of {listed(list(found['foreign']))}", way))
    if lacks:
        words = " and ".join(said for said, _ in lacks)
        return fail(f"{found['role']} {words}: no release, and no way back", "; ".join(way for _, way in lacks) + DOCS)
    return ok(f"{found['role']} may freeze, migrate, swap and create databases")


def _kept_out(subject: Subject, made: str) -> Finding | None:
    """Whether pg_hba.conf names databases, so that nobody gets into one that a rollback makes: it is asked before the
    server looks whether there is one of that name."""
    try:
        subject.session.connect(subject.target, made).close()
    except Unreachable as error:
        if error.code == Code.NO_HBA_ENTRY:
            words = f"pg_hba.conf keeps it out of databases that a rollback makes, such as {made}"
            return fail(words, "write `all` for the database in pg_hba.conf, and SELECT pg_reload_conf()")
    return None


def _member(roles: dict[str, bool], role: str, number: int) -> str:
    """What makes a role a member of others; empty where one is a superuser, whose rights nobody should be given so.

    Args:
        roles: name to whether it is a superuser.
        role: who is to be a member, as it is written in SQL.
        number: the server's version.
    """
    if any(roles.values()):
        return ""
    return "; ".join(membership(name, role, number) for name in list(roles)[:3])


@check("settings", "server", "tools", "changing")
def settings(subject: Subject) -> Finding:
    """Check that a rollback may write the settings of the database again: each is tried, and taken back.

    A server refuses them one by one, in the middle of a rollback. Without them a release and a rollback are refused.
    """
    given = {"live": subject.session.database(subject.target)}
    done = subject.session.run(Query("check_settings.sql", subject.target, "postgres", given))
    if done.exit == 0:
        return ok("all are this role's to write again")
    for found in json_lines(done.out):
        words = f"settings of the database may not be written, so a rollback would stop at them: {found['refused']}"
        return fail(words, f"{found['ways']}{DOCS}")
    return fail(said_error(done.err), f"inv status --target={subject.production}")


@check("sessions", "server", "tools")
def sessions(subject: Subject) -> Finding:
    """Check that nothing is connected, prepared or replicated that could write to a frozen production.

    The same session would also keep a swap from happening.
    """
    found = subject.rights
    if there := writers(subject.session, subject.target):
        who, stop = told(there)
        refuse = fail if any(one.lasting for one in there) else warn
        return refuse(f"could still write to a frozen production, so a freeze is refused: {who}", stop + DOCS)
    if found["strangers"]:
        who = listed(list(found["strangers"]))
        words = f"connected, and not {found['role']}'s to end: {who}; a swap stops at them"
        way = _member(found["strangers"], identifier(found["role"]), int(subject.identity["number"]))
        return warn(words, way + DOCS if way else f"end the sessions of {who} before a release or a rollback")
    return ok("none that a freeze or a swap could not end")


@check("replication", "server", "tools")
def replication(subject: Subject) -> Finding:
    """Check that no slot, publication or subscription belongs to the database, and no job of pg_cron to its name.

    They do not follow a rollback, and a slot that nobody reads retains WAL until the disk is full. A warning for each.
    """
    found = followers(subject.session, subject.target)
    if not found:
        return ok("no slot, publication, subscription or job of pg_cron that a rollback would leave behind")
    first = next((one for one in found if one.kind != "publication"), found[0])
    told = "".join(f"\n{'':10}{one.sentence}" for one in found)
    names = listed([f"{one.kind} {one.name}" for one in found], 9)
    return warn(f"does not follow a rollback: {names}{told}", first.then)


@check("other", "server", "tools", "production's server", of=("test",))
def other(subject: Subject) -> Finding:
    """Check that the test database is no production database, and where it is there, a clone of its target."""
    session, name = subject.session, subject.session.database(subject.target)
    production = subject.of(subject.production)
    there = subject.identity
    if (production.identity["system"], session.database(production.target)) == (there["system"], name):
        words = f"it is the very database of {subject.production}: {name} on the same server"
        return fail(words, f"give {subject.target} a database of its own in {subject.reference}")
    no_production(session, subject.entry, name, there["system"])
    if name not in there["databases"]:
        return ok(f"{name} is not there yet: the first clone makes it")
    mark = there["databases"][name].split("\n")[0]
    if mark.startswith(f"generalprobe clone of {subject.production}, run "):
        return ok(f"{name}: {mark.removeprefix('generalprobe ')}")
    words = f"{name} is there and no clone of {subject.production}" + (f" (its mark: {mark})" if mark else "")
    return warn(f"{words}: the next clone takes its name and sets it aside", f"psql, and look whether {name} is needed")


@check("cloning", "server", "tools", of=("test",))
def making(subject: Subject) -> Finding:
    """Check that the role may create databases on the test server, and owns the test database where there is one."""
    found, name = subject.rights, subject.session.database(subject.target)
    role = identifier(found["role"])
    if not found["creates"]:
        return fail(f"{found['role']} may not create databases: no clone", f"ALTER ROLE {role} CREATEDB{DOCS}")
    if found["reads_only"]:
        words = f"{found['role']} only reads, by a setting of its own: no clone"
        return fail(words, f"ALTER ROLE {role} RESET default_transaction_read_only{DOCS}")
    if found["exists"] and not found["owns"]:
        words = f"{name} belongs to {found['owner']}, so {found['role']} may not rename it"
        return fail(words, f"ALTER DATABASE {identifier(name)} OWNER TO {role}{DOCS}")
    return ok(f"{found['role']} may make clones")


@check("likeness", "server", "tools", "production's server", of=("test",))
def likeness(subject: Subject) -> Finding:
    """Check that the test server can hold a copy that is like production: encoding, locale, and roles of policies.

    Under another locale text is equal, ordered and folded in another way, so what succeeds there can fail here. A
    warning where the server is of another major version.
    """
    session, production = subject.session, subject.of(subject.production)
    done = session.run(Query("about.sql", production.target))
    path = session.secrets.private / f"{production.target}.about.jsonl"
    write_whole(path, done.out)
    fits = done if done.exit else session.run(Query("check_fits.sql", subject.target, "postgres", {"from": str(path)}))
    if fits.exit:
        return fail(said_error(fits.err), "a test server that is like production's   (docs/explanation/rehearsal.md)")
    here, there = (int(one.identity["number"]) // 10000 for one in (subject, production))
    if here != there:
        words = f"PostgreSQL {here} here, and {there} in production: a schema may not be the same, and is then refused"
        return warn(words, f"a test server of PostgreSQL {there}")
    about: Any = json_lines(done.out)[0]["about"]
    return ok(f"{about['encoding']}, {about['locale'] or about['collate']}: copies are like production")


@check("extensions", "server", "tools", "production's server", of=("test",))
def extensions(subject: Subject) -> Finding:
    """Check that the test server offers every extension that production uses, to this role."""
    wanted = subject.of(subject.production).rights["extensions"]
    offered = subject.rights["offered"]
    if missing := [name for name in wanted if name not in offered]:
        return fail(f"the test server does not have {listed(missing)}", f"install {listed(missing)} on the test server")
    if closed := [name for name in wanted if not offered[name]]:
        words = f"only a superuser may create {listed(closed)} there"
        return fail(words, f"ALTER ROLE {identifier(subject.rights['role'])} SUPERUSER   on the test server{DOCS}")
    return ok(f"all of production's: {listed(wanted)}" if wanted else "none needed")
