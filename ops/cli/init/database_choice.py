"""Choose the locations of the addresses of the two databases.

The inventory contains no address. An address that is in no environment variable and no Railway service is written to
a file with mode 0600 in the user's configuration folder, outside of every repository.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.cli.init.discovery import SCHEMES, Project, Surroundings, address_in, place_of
from ops.cli.init.questions import Questions
from ops.core.errors import UsageError
from ops.infra.postgres.client import parts_of
from ops.infra.postgres.url import as_url
from ops.infra.railway.project_link import ProjectLink
from ops.inventory.targets import Reference

TEST_VARIABLE = "TEST_DATABASE_URL"
PUBLIC = "DATABASE_PUBLIC_URL"
TYPED = "type it"
_LONGEST = 63  # bytes; PostgreSQL truncates longer names


@dataclass(frozen=True)
class Database:
    """The location of an address.

    ``url`` is the address, if known; a secret. ``file`` is the file to which the address is written, if no variable
    contains it. ``missing`` is the variable that the user must set.
    """

    reference: str
    place: str = ""
    url: str = ""
    file: Path | None = None
    missing: str = ""
    railway: ProjectLink | None = None

    def __repr__(self) -> str:
        """Return the reference only, without the address."""
        return f"Database({self.reference!r})"


def choose_production(
    questions: Questions,
    target: str,
    project: Project | None,
    variable: str,
    around: Surroundings,
    environ: Mapping[str, str],
) -> Database:
    """Choose the location of production's address.

    Args:
        questions: the flags and the terminal.
        target: the production target.
        project: the Django project; None if there is none.
        variable: the variable from which the application reads its database.
        around: what else was found.
        environ: the environment variables.
    """
    if questions.given.get("database"):
        reference = questions.ask("database", "", "", _check_reference)
        return _named(reference, environ, around)
    proposals = _proposals(target, project, variable, around, environ)
    first = proposals[0]
    place = first.place or "address not set yet"
    text = f"Production's database ({place}): Enter to accept, or env:NAME, file:PATH, or {TYPED!r}"
    answer = questions.ask("", text, first.reference, _check_answer)
    if answer == TYPED:
        return _of_url(questions.secret("Address, postgresql://USER:PASSWORD@HOST:5432/DATABASE"), target, environ)
    if answer.startswith(SCHEMES):
        return _of_url(answer, target, environ)
    return first if answer == first.reference else _named(answer, environ, around)


def _proposals(
    target: str, project: Project | None, variable: str, around: Surroundings, environ: Mapping[str, str]
) -> list[Database]:
    """Return the possible locations of production's address, the most likely first."""
    found = []
    if link := around.link:
        service = next((name for name in around.services if "postgres" in name.lower()), "Postgres")
        own = link if link.service != service else ProjectLink(link.project, link.environment)
        found.append(Database(f"railway:{service}/{PUBLIC}", f"{link.environment} on Railway", railway=own))
    for name in dict.fromkeys((variable, "DATABASE_URL")):
        if name and address_in(environ, name):
            found.append(_named(f"env:{name}", environ, around))
    if project and project.database.is_postgres:
        found.append(_of_url(as_url(project.database.parts), target, environ))
    # Only the settings module that `init` writes reads a variable GENERALPROBE_….
    usual = variable if variable and not variable.startswith("GENERALPROBE") else "DATABASE_URL"
    return [*found, _named(f"env:{usual}", environ, around)]


def choose_test(
    questions: Questions, target: str, production: Database, around: Surroundings, environ: Mapping[str, str]
) -> Database:
    """Choose the location of the test database's address: a variable, or a database on production's server."""
    if questions.given.get("test-database"):
        return _named(questions.ask("test-database", "", "", _check_reference), environ, around)
    if address_in(environ, TEST_VARIABLE):
        return _named(f"env:{TEST_VARIABLE}", environ, around)
    if production.url:
        parts = parts_of(production.url)
        usual = parts["dbname"].encode()[: _LONGEST - 5].decode(errors="ignore") + "_test"

        def check(name: str) -> str:
            return _check_name(name, parts["dbname"])

        name = questions.ask("test-name", "Name of the test database, created on production's server", usual, check)
        return _of_url(as_url({**parts, "dbname": name}), f"{target}-test", environ)
    if production.railway and (other := _other_environment(production.railway, around)):
        return Database(production.reference, f"{other.environment} on Railway", railway=other)
    return _named(f"env:{TEST_VARIABLE}", environ, around)


def _check_name(name: str, production: str) -> str:
    if name != production and 0 < len(name.encode()) <= _LONGEST and name.isprintable():
        return name
    raise UsageError("the test database's name must differ from production's", f"{production}_test")


def _other_environment(link: ProjectLink, around: Surroundings) -> ProjectLink | None:
    names = [name for name in around.environments if name != link.environment and name != "production"]
    return ProjectLink(link.project, names[0]) if names else None


def _named(reference: str, environ: Mapping[str, str], around: Surroundings) -> Database:
    kind, _, value = reference.partition(":")
    url = address_in(environ, value) if kind == "env" else _address_at(value) if kind == "file" else ""
    place = place_of(parts_of(url)) if url else ""
    link = around.link or ProjectLink("PROJECT", "production") if kind == "railway" else None
    missing = value if kind == "env" and not environ.get(value) else ""
    return Database(reference, place, url, missing=missing, railway=link)


def _address_at(path: str) -> str:
    """Return the address in a user's file; empty if there is none. The address is a secret."""
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):
        return ""
    return address_in({"": lines[0].strip()}, "") if lines else ""


def _of_url(url: str, name: str, environ: Mapping[str, str]) -> Database:
    """Return a database whose address is written to a private file."""
    parts = _checked(url)
    home = Path(environ.get("HOME") or "~").expanduser()
    folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "generalprobe"
    file = _free(folder, f"{name}-url", url)
    shown = f"~/{file.relative_to(home)}" if file.is_relative_to(home) else str(file)
    return Database(f"file:{shown}", place_of(parts), url, file)


def _free(folder: Path, name: str, url: str) -> Path:
    """Return a file that does not exist yet, or that contains this address."""
    for number in range(1, 100):
        file = folder / (name if number == 1 else f"{name}-{number}")
        if not os.path.lexists(file):
            return file
        try:
            if file.read_text(encoding="utf-8") == f"{url}\n":
                return file
        except (OSError, UnicodeError):
            continue
    raise UsageError(f"{folder}: too many files named {name}", f"ls {folder}")


def _checked(url: str) -> dict[str, str]:
    try:
        parts = parts_of(url) if url.startswith(SCHEMES) else {}
    except ValueError:
        parts = {}
    if not parts.get("dbname") or "\n" in url:
        raise UsageError(
            "this is not the address of a PostgreSQL database", "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
        )
    return parts


def _check_reference(text: str) -> str:
    try:
        return str(Reference.parse(text))
    except UsageError as error:
        raise UsageError(error.message, "env:DATABASE_URL") from None


def _check_answer(text: str) -> str:
    if text == TYPED:
        return text
    if text.startswith(SCHEMES):
        _checked(text)
        return text
    return _check_reference(text)
