"""Checks of rights (docs/rights.md), and of the test server: may it be overwritten, can it take what production has."""

from __future__ import annotations

from collections.abc import Sequence

from ops.doctor.check import Finding, Subject, fail, ok, warn
from ops.identity import no_production
from ops.rows import identifier

DOCS = "   (docs/rights.md)"


def some(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def count(number: int, what: str) -> str:
    """A number of things."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def reading(subject: Subject) -> Finding:
    """Whether the role may read everything: what it may not read is an error of a backup, never left out."""
    found = subject.rights
    role = identifier(found["role"])
    if found["unreadable"]:
        words = f"{found['role']} may not read {some(found['unreadable'])}"
        return fail(words, f"GRANT pg_read_all_data TO {role}{DOCS}")
    if found["hidden"]:
        words = f"policies hide rows of {some(found['hidden'])} from {found['role']}"
        return fail(words, f"ALTER ROLE {role} BYPASSRLS{DOCS}")
    if found["large"]:
        words = f"{found['role']} may not read {count(found['large'], 'large object')}"
        named = ", ".join(str(number) for number in found["first"]) + (", …" if found["large"] > 3 else "")
        return fail(words, f"GRANT SELECT ON LARGE OBJECT {named} TO {role}{DOCS}")
    return ok(f"{found['role']} may read every table, sequence and large object")


def changing(subject: Subject) -> Finding:
    """Whether the role may do what freeze, promotion and the way back need."""
    found, live = subject.rights, subject.world.database(subject.target)
    role, name = identifier(found["role"]), identifier(live)
    # The run lock, and every command that renames, is on the database postgres.
    subject.world.connect(subject.target, "postgres").close()
    lacks = []
    if not found["owns"]:
        lacks.append((f"does not own {live}", f"ALTER DATABASE {name} OWNER TO {role}"))
    if not found["creates"]:
        lacks.append(("may not create databases", f"ALTER ROLE {role} CREATEDB"))
    if found["foreign"]:
        way = _member(found["foreign"], role) or f"ALTER TABLE … OWNER TO {role}"
        lacks.append((f"may not change tables of {some(list(found['foreign']))}", way))
    if lacks:
        words = " and ".join(said for said, _ in lacks)
        return fail(f"{found['role']} {words}: no release, and no way back", "; ".join(way for _, way in lacks) + DOCS)
    return ok(f"{found['role']} may freeze, migrate, swap and create databases")


def _member(roles: dict[str, bool], role: str) -> str:
    """What makes a role a member of others; empty where one is a superuser, whose rights nobody should be given so.

    Args:
        roles: name to whether it is a superuser.
    """
    if any(roles.values()):
        return ""
    return "; ".join(f"GRANT {identifier(name)} TO {role}" for name in list(roles)[:3])


def sessions(subject: Subject) -> Finding:
    """Whether anything is connected, or prepared, that a freeze or a swap could not end."""
    found = subject.rights
    if found["prepared"]:
        words = f"a prepared transaction is in the way of every swap: {some(found['prepared'])}"
        return fail(words, "COMMIT PREPARED or ROLLBACK PREPARED it")
    if found["strangers"]:
        who = some(list(found["strangers"]))
        words = f"connected, and not {found['role']}'s to end: {who}; freeze and swap stop at them"
        way = _member(found["strangers"], identifier(found["role"]))
        return warn(words, way + DOCS if way else f"end the sessions of {who} before a release or a rollback")
    return ok("none that a freeze or a swap could not end")


def other(subject: Subject) -> Finding:
    """Whether the test database is another one than production's, and if it is there, a clone or at least nobody's."""
    world, name = subject.world, subject.world.database(subject.target)
    production = subject.of(subject.production)
    there = subject.identity
    if (production.identity["system"], world.database(production.target)) == (there["system"], name):
        words = f"it is the very database of {subject.production}: {name} on the same server"
        return fail(words, f"give {subject.target} a database of its own in {subject.reference}")
    no_production(world, subject.entry, name, there["system"])
    if name not in there["databases"]:
        return ok(f"{name} is not there yet: the first clone makes it")
    mark = there["databases"][name].split("\n")[0]
    if mark.startswith(f"generalprobe clone of {subject.production}, run "):
        return ok(f"{name}: {mark.removeprefix('generalprobe ')}")
    words = f"{name} is there and no clone of {subject.production}" + (f" (its mark: {mark})" if mark else "")
    return warn(f"{words}: the next clone takes its name and sets it aside", f"psql, and look whether {name} is needed")


def making(subject: Subject) -> Finding:
    """Whether the role may make clones on the test server, and give one the test database's name."""
    found, name = subject.rights, subject.world.database(subject.target)
    role = identifier(found["role"])
    if not found["creates"]:
        return fail(f"{found['role']} may not create databases: no clone", f"ALTER ROLE {role} CREATEDB{DOCS}")
    if found["exists"] and not found["owns"]:
        words = f"{name} belongs to {found['owner']}, so {found['role']} may not rename it"
        return fail(words, f"ALTER DATABASE {identifier(name)} OWNER TO {role}{DOCS}")
    return ok(f"{found['role']} may make clones")


def extensions(subject: Subject) -> Finding:
    """Whether the test server has what production's tables are made of."""
    wanted = subject.of(subject.production).rights["extensions"]
    offered = subject.rights["offered"]
    if missing := [name for name in wanted if name not in offered]:
        return fail(f"the test server does not have {some(missing)}", f"install {some(missing)} on the test server")
    if closed := [name for name in wanted if not offered[name]]:
        words = f"only a superuser may create {some(closed)} there"
        return fail(words, f"ALTER ROLE {identifier(subject.rights['role'])} SUPERUSER   on the test server{DOCS}")
    return ok(f"all of production's: {some(wanted)}" if wanted else "none needed")
