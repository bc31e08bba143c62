"""What a program failed at: its error, looked up in the catalogue of failures
(``ops/infra/postgres/failure_catalog.py``).

Nothing of a row is repeated: of the server's words only the first line is, and of a command only its beginning, without
what stands in quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ops.core.errors import LOCK_STATES, Code
from ops.core.sql_names import quoted
from ops.infra.postgres.failure_catalog import FAILURES
from ops.infra.postgres.failure_kind import MIGRATE, RESTORE, Failure
from ops.infra.postgres.grant_statements import grant_anew, grantors, reverse, statements
from ops.infra.postgres.migration_failures import IN_MIGRATIONS


@dataclass(frozen=True)
class Trouble:
    """One failure of a program: on what, in the server's words; what the catalogue knows; and whether it only follows
    from another one."""

    said: str
    object: str = ""
    known: str = ""
    cause: str = ""
    then: str = ""
    where: str = ""

    @property
    def sentence(self) -> str:
        """What is wrong, naming the object."""
        return f"{self.object}: {self.cause or self.said}" if self.object else self.cause or self.said


def explain(
    said: str,
    further: str = "",
    state: str = "",
    role: str = "",
    command: str = "",
    supers: frozenset[str] | None = None,
    tool: str = RESTORE,
) -> Trouble:
    """Look an error up: by the server's words, and where those are in another language by its SQLSTATE.

    Args:
        said: the server's first line, without ``ERROR:``.
        further: the lines below it.
        state: its SQLSTATE, where that is known.
        role: who asked.
        command: the statement that failed, where that is known.
        supers: the superusers, where they are known: nobody should be made a member of one.
        tool: ``MIGRATE`` where the application's migrate failed, else ``RESTORE``.
    """
    name = object_of(command, further)
    for failure, named in _fitting(said, further, state, tool, command):
        more = re.search(failure.further, further) if failure.further else None
        groups = named or [name]
        words = {"role": quoted(role) or "the role", "key": _key(further), "f": more["f"] if more else ""}
        heir = re.search(r"OWNER TO (.+?);", command)
        words["heir"] = heir[1] if heir else words["role"]
        again = _AGAIN if said.startswith("must be able to SET ROLE") else ""
        words["owner"] = _ways(groups[0], words["role"], command, supers, again)
        words |= {"maker": maker_of(command), "maker_way": _maker_way(command, words["role"], supers)}
        words |= {"object": _KIND.sub(lambda kind: kind[0].upper(), name)} | _granted(command)
        groups += groups[-1:]
        cause, then = (text.format(*groups, **words) for text in (failure.cause, failure.then))
        return Trouble(said, name, failure.name, cause, then, failure.where)
    return Trouble(said, name)


def _granted(command: str) -> dict[str, str]:
    """What a failed GRANT or REVOKE is about, as the texts of the catalogue name it; or any other statement."""
    given = statements(command)
    return {
        "grantors": ", ".join(grantors(command)) or "another role",
        "granted_anew": grant_anew(command),
        "reversed": "; ".join(filter(None, map(reverse, given))),
        "statement": "; ".join(given) or _one_line(command),
    }


def _fitting(said: str, further: str, state: str, tool: str, command: str) -> Iterator[tuple[Failure, list[str]]]:
    """The failures that an error may be, the likeliest first, each with the names in it."""
    every = [one for one in (*IN_MIGRATIONS, *FAILURES) if one.tool in ("", tool) and re.match(one.command, command)]
    fit = [one for one in every if not (state and one.states) or state in one.states]
    for one in fit:
        match = re.match(one.said, said)
        if match and (not one.further or re.search(one.further, further)):
            yield one, [group for group in match.groups() if group]
    meant = [one for one in fit if state and one.states and not one.further]
    if len(meant) == 1 or (meant and tool == MIGRATE):
        yield meant[0], [name for quoted in _QUOTED.findall(said) for name in quoted if name]


# Names as the server's messages have them: "x", »x«, «x», „x“, 「x」.
_QUOTED = re.compile(r'"([^"]+)"|[»„«]\s?([^«“»]+?)\s?[«“»]|「([^」]+)」')


# The database's error that ended a Python program, as its traceback names it; psql's, with ``VERBOSITY verbose``.
_RAISED = re.compile(r"^psycopg2?\.errors\.(\w+): (.*)\n((?:DETAIL.*\n)?)", re.MULTILINE)
_STATE = re.compile(r":  ([0-9A-Z]{5}): ")


def sqlstate(stderr: str) -> str:
    """Find the SQLSTATE of the error that ended a program; empty where the program printed none."""
    import psycopg.errors

    if found := _RAISED.search(stderr):
        return getattr(getattr(psycopg.errors, found[1], None), "sqlstate", None) or ""
    return found[1] if (found := _STATE.search(stderr)) else ""


# libpq gives no SQLSTATE of a connection that was refused, and the server says it in the language of its own
# configuration: this is the only place that reads those words. Of other languages nothing is known (``Code.NONE``).
_REFUSALS = (
    (Code.PASSWORD, r"authentication failed|no password supplied"),
    (Code.CLOSED, r"not currently accepting connections"),
    (Code.NO_DATABASE, r'database ".*" does not exist'),
    (Code.NO_ROLE, r'role ".*" does not exist'),
    (Code.NO_HBA_ENTRY, r"pg_hba\.conf"),
    (Code.FULL, r"too many (?:connections|clients)|connection slots"),
    (Code.NO_RIGHT, r"not permitted to log in|permission denied"),
    (Code.TLS, r"certificate|SSL support is not compiled in|server does not support SSL"),
)


def refusal(said: str) -> Code:
    """Return why a server refused a connection, by its words; ``Code.NONE`` where it said no such thing."""
    return next((code for code, words in _REFUSALS if re.search(words, said)), Code.NONE)


def lock_wait(stderr: str) -> bool:
    """Return True if a program ended since a lock was not to be had.

    The SQLSTATE decides. pg_dump and pg_restore print none, so their English words are taken: the tool has them, and
    every role that may choose it, speak English (``ops.infra.session``).
    """
    state = sqlstate(stderr)
    return state in LOCK_STATES if state else bool(re.search("lock timeout|deadlock detected", stderr))


def of_migration(stderr: str, role: str = "") -> Trouble | None:
    """What the catalogue knows of the database's error that ended ``manage.py``; the driver's class of it says which it
    is, in any language."""
    if not (found := _RAISED.search(stderr)):
        return None
    one = explain(found[2], found[3], sqlstate(stderr), role, tool=MIGRATE)
    return one if one.known else None


def beside(stderr: str) -> str:
    """What stands below the first error of a program, for a person: details, context, the command; no value in it."""
    for _, below, command in _errors(stderr):
        lines = [line.strip() for line in below.splitlines() if re.match(r"(?!LOCATION)[^\s:]+:  ", line)]
        lines += [f"the command was: {command.splitlines()[0].strip()}"] if command.strip() else []
        return "".join(f"; {re.sub(r'  +', ' ', _LITERAL.sub('…', line))[:_LONGEST]}" for line in lines)
    return ""


# The words before a name that say what it is.
_KIND = re.compile(r"^(?:[a-z]{2,} )+(?=\S)")
# A value in a statement, or in what a server says of one; and how much of a line is told.
_LITERAL, _LONGEST = re.compile(r"'(?:[^']|'')*'?"), 200


def troubles(stderr: str, role: str = "", supers: frozenset[str] | None = None) -> list[Trouble]:
    """All failures in what a program said, in their order, without those that only follow from an earlier one."""
    found: list[Trouble] = []
    lacking: set[str] = set()
    for said, further, command in _errors(stderr):
        if found and _FOLLOWS.match(said):
            continue
        missing = re.match(r'(?:.+ )?"?([^" (]+)"?(?:\(.*\))? does not exist', said)
        one = explain(said, further, "", role, command, supers)
        if missing and missing[1].split(".")[-1] in lacking and one.known != "search_path":
            lacking.add(_made(command))
            continue
        lacking.add(_made(command))
        found.append(one)
    return found


# What ends a program after an error of one of its workers.
_FOLLOWS = re.compile(r"a worker process died unexpectedly")
_FIRST = re.compile(
    r".*?(?:ERROR|FATAL|PANIC|error: .*?: [^\s:]+):\s+(?:[0-9A-Z]{5}: )?(.*)|pg_\w+: error: (.*)"
)


def _errors(stderr: str) -> Iterator[tuple[str, str, str]]:
    """Each error's first line, the lines below it, and the command that failed."""
    blocks = re.split(r"^(?=.*?(?:ERROR|FATAL|PANIC):  |pg_\w+: error: )", stderr, flags=re.M)
    for block in blocks:
        # What a server says in another language begins with another word, and two blanks behind it, too.
        if match := _FIRST.match(block):
            below = block[match.end() :]
            head, _, command = below.partition("Command was: ")
            yield match[1] or match[2], head, command
    return


_STATEMENT = re.compile(
    r"(?:CREATE|ALTER|COMMENT ON|GRANT .*? ON|REVOKE .*? ON|REFRESH)\s+(?:OR REPLACE )?(?:UNIQUE )?(.+?)"
    r"(?:\s+(?:OWNER TO|IS|TO|FROM|ON|AS|ADD|ENABLE|SET|WITH|FOR|ATTACH|RETURNS|USING|SERVER|FOREIGN|TYPE)\b|\(|;|$)",
    re.S,
)


def object_of(command: str, further: str = "") -> str:
    """What a failed statement is about: kind and name, never a value."""
    line = " ".join(re.sub(r"'(?:[^']|'')*'|\$\$.*", "", command.split("\n")[0]).split())
    if maker := maker_of(line):
        return f"default privileges of {maker}"
    if match := _STATEMENT.match(line):
        return _called(match[1].strip())
    if match := re.search(r'COPY ("?[\w.$]+"?)', further):
        return f"table {match[1]}"
    return ""


def _called(text: str) -> str:
    kind = re.match(r"(?:[A-Z]{2,}\s+)+", text)
    name = text[kind.end() :] if kind else text
    word = (kind[0] if kind else "TABLE ").lower().removesuffix("if not exists ").removesuffix("only ")
    return f"{word}{name}".strip()


def _made(command: str) -> str:
    """The bare name of what a failed statement would have made."""
    name = object_of(command).rsplit(" ", 1)[-1]
    return name.split(".")[-1].strip('"')


# Since PostgreSQL 16 a member may be none that can set the role, and a GRANT without a word leaves that as it is.
_AGAIN = " WITH INHERIT TRUE, SET TRUE"


def _ways(owner: str, role: str, command: str, supers: frozenset[str] | None, again: str) -> str:
    """What lets a role restore what belongs to another one."""
    member = f"GRANT {quoted(owner)} TO {role}{again}"
    if "OWNER TO" not in command or (supers is not None and owner not in supers):
        return member
    given = re.sub(r"OWNER TO .+?;", f"OWNER TO {role}", " ".join(command.split("\n")[0].split()))
    return f"{given}   on production" if supers else f"{member}   or, on production: {given}"


def maker_of(command: str) -> str:
    """Whose objects default privileges are for, as it is written in SQL; empty where that is not said."""
    match = re.match(r'ALTER DEFAULT PRIVILEGES FOR ROLE ("(?:[^"]|"")+"|\S+)', command)
    return match[1] if match else ""


def _maker_way(command: str, role: str, supers: frozenset[str] | None) -> str:
    """What lets a role restore default privileges of another one: nobody should be made a member of a superuser."""
    maker = maker_of(command)
    if supers is None or maker.strip('"') not in supers:
        return f"GRANT {maker} TO {role}"
    line = _one_line(command)
    back = reverse(line)
    return f"{back}   on production (and after a rollback   {line})" if back else f"ALTER ROLE {role} SUPERUSER"


def _one_line(command: str) -> str:
    """A statement of one line, without what follows it."""
    return " ".join(command.split(";\n")[0].split()).removesuffix(";")


# A key that is a number, a uuid or a date may be shown; any other may be a secret.
_KEY = re.compile(r"Key \(([\w, ]+)\)=\(((?:[\d, -]|[0-9a-f]{8}-[0-9a-f-]{27})+)\)")


def _key(further: str) -> str:
    match = _KEY.search(further)
    return f" ({match[1]} = {match[2]})" if match else ""
