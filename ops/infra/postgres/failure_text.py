"""Explain a program's error by the failure catalogue (``ops/infra/postgres/failure_catalog.py``).

The texts contain no row values: only the first line of the server's message, and the beginning of a command without
quoted text.
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
    """One failure of a program.

    Args:
        said: the server's message.
        object: the object on which the statement failed, as kind and name.
        known: the name of the catalogue's entry; empty if none matches.
        cause: the catalogue's cause.
        then: what to type.
        where: what must be corrected, see ``Failure``.
    """

    said: str
    object: str = ""
    known: str = ""
    cause: str = ""
    then: str = ""
    where: str = ""

    @property
    def sentence(self) -> str:
        """The object and the cause."""
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
    """Look up an error by the server's message, or by its SQLSTATE if the message is in another language.

    Args:
        said: the server's first line, without ``ERROR:``.
        further: the lines below the first.
        state: the SQLSTATE, if known.
        role: the role of the session.
        command: the failed statement, if known.
        supers: the superusers, if known; no hint makes a role a member of a superuser.
        tool: ``MIGRATE`` if the application's migrate failed, else ``RESTORE``.
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
    """Return the values of a failed statement, mostly GRANT or REVOKE, for the texts of the catalogue."""
    given = statements(command)
    return {
        "grantors": ", ".join(grantors(command)) or "another role",
        "granted_anew": grant_anew(command),
        "reversed": "; ".join(filter(None, map(reverse, given))),
        "statement": "; ".join(given) or _one_line(command),
    }


def _fitting(said: str, further: str, state: str, tool: str, command: str) -> Iterator[tuple[Failure, list[str]]]:
    """Yield the matching entries, the most likely first, each with the names in the message."""
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


# The database error in a Python traceback, and the SQLSTATE in psql's output with ``VERBOSITY verbose``.
_RAISED = re.compile(r"^psycopg2?\.errors\.(\w+): (.*)\n((?:DETAIL.*\n)?)", re.MULTILINE)
_STATE = re.compile(r":  ([0-9A-Z]{5}): ")


def sqlstate(stderr: str) -> str:
    """Return the SQLSTATE of the error that ended a program; empty if the program printed none."""
    import psycopg.errors

    if found := _RAISED.search(stderr):
        return getattr(getattr(psycopg.errors, found[1], None), "sqlstate", None) or ""
    return found[1] if (found := _STATE.search(stderr)) else ""


# libpq gives no SQLSTATE for a refused connection, and the message is in the language of the server's configuration.
# Only this table reads the English messages; messages in other languages give ``Code.NONE``.
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
    """Return why a server refused a connection, from its message; ``Code.NONE`` if it did not, or if unknown."""
    return next((code for code, words in _REFUSALS if re.search(words, said)), Code.NONE)


def lock_wait(stderr: str) -> bool:
    """Return True if a program failed because of a lock timeout or a deadlock.

    The SQLSTATE decides. pg_dump and pg_restore print none, so their English messages decide. The tool sets English
    messages for the programs, and for every role that may set ``lc_messages``.
    """
    state = sqlstate(stderr)
    return state in LOCK_STATES if state else bool(re.search("lock timeout|deadlock detected", stderr))


def of_migration(stderr: str, role: str = "") -> Trouble | None:
    """Explain the database error that ended ``manage.py``; the driver's exception class gives the SQLSTATE.

    Return None if there is no such error, or if the catalogue has no entry.
    """
    if not (found := _RAISED.search(stderr)):
        return None
    one = explain(found[2], found[3], sqlstate(stderr), role, tool=MIGRATE)
    return one if one.known else None


def beside(stderr: str) -> str:
    """Return the details, context and command of a program's first error, without values."""
    for _, below, command in _errors(stderr):
        lines = [line.strip() for line in below.splitlines() if re.match(r"(?!LOCATION)[^\s:]+:  ", line)]
        lines += [f"the command was: {command.splitlines()[0].strip()}"] if command.strip() else []
        return "".join(f"; {re.sub(r'  +', ' ', _LITERAL.sub('…', line))[:_LONGEST]}" for line in lines)
    return ""


# The kind of an object, before its name.
_KIND = re.compile(r"^(?:[a-z]{2,} )+(?=\S)")
# A literal in a statement or message, and the maximum length of a reported line.
_LITERAL, _LONGEST = re.compile(r"'(?:[^']|'')*'?"), 200


def troubles(stderr: str, role: str = "", supers: frozenset[str] | None = None) -> list[Trouble]:
    """Return all failures in a program's output in their order, without those that follow from an earlier failure."""
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


# The error of a program after an error of one of its workers.
_FOLLOWS = re.compile(r"a worker process died unexpectedly")
_FIRST = re.compile(
    r".*?(?:ERROR|FATAL|PANIC|error: .*?: [^\s:]+):\s+(?:[0-9A-Z]{5}: )?(.*)|pg_\w+: error: (.*)"
)


def _errors(stderr: str) -> Iterator[tuple[str, str, str]]:
    """Yield each error's first line, the lines below it, and the failed command."""
    blocks = re.split(r"^(?=.*?(?:ERROR|FATAL|PANIC):  |pg_\w+: error: )", stderr, flags=re.M)
    for block in blocks:
        # A message in another language begins with another word, but also has two blanks after the colon.
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
    """Return the object of a failed statement as kind and name, without values."""
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
    """Return the unqualified name of the object that a failed statement would have created."""
    name = object_of(command).rsplit(" ", 1)[-1]
    return name.split(".")[-1].strip('"')


# Since PostgreSQL 16 a member may lack the right to SET ROLE, and a GRANT without options does not change that.
_AGAIN = " WITH INHERIT TRUE, SET TRUE"


def _ways(owner: str, role: str, command: str, supers: frozenset[str] | None, again: str) -> str:
    """Return the statement that lets a role restore an object of another owner."""
    member = f"GRANT {quoted(owner)} TO {role}{again}"
    if "OWNER TO" not in command or (supers is not None and owner not in supers):
        return member
    given = re.sub(r"OWNER TO .+?;", f"OWNER TO {role}", " ".join(command.split("\n")[0].split()))
    return f"{given}   on production" if supers else f"{member}   or, on production: {given}"


def maker_of(command: str) -> str:
    """Return the role of ALTER DEFAULT PRIVILEGES FOR ROLE as in SQL; empty for other statements."""
    match = re.match(r'ALTER DEFAULT PRIVILEGES FOR ROLE ("(?:[^"]|"")+"|\S+)', command)
    return match[1] if match else ""


def _maker_way(command: str, role: str, supers: frozenset[str] | None) -> str:
    """Return the statement that lets a role restore default privileges of another role, without superuser rights."""
    maker = maker_of(command)
    if supers is None or maker.strip('"') not in supers:
        return f"GRANT {maker} TO {role}"
    line = _one_line(command)
    back = reverse(line)
    return f"{back}   on production (and after a rollback   {line})" if back else f"ALTER ROLE {role} SUPERUSER"


def _one_line(command: str) -> str:
    """Return the first statement of a command on one line."""
    return " ".join(command.split(";\n")[0].split()).removesuffix(";")


# A key that is a number, a UUID or a date may be reported; any other key may be a secret.
_KEY = re.compile(r"Key \(([\w, ]+)\)=\(((?:[\d, -]|[0-9a-f]{8}-[0-9a-f-]{27})+)\)")


def _key(further: str) -> str:
    match = _KEY.search(further)
    return f" ({match[1]} = {match[2]})" if match else ""
