"""Decide where the addresses of the two databases are found.

No address goes into the inventory. What no variable and no Railway service holds goes into a file of mode 0600 in the
user's configuration, outside of every repository.
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
_LONGEST = 63  # bytes; PostgreSQL cuts longer names


@dataclass(frozen=True)
class Database:
    """Where an address is found.

    ``url`` is the address, where it is known; a secret. ``file`` is the file that will hold it, where no variable
    does. ``missing`` is the variable that the user has to set.
    """

    reference: str
    place: str = ""
    url: str = ""
    file: Path | None = None
    missing: str = ""
    railway: ProjectLink | None = None

    def __repr__(self) -> str:
        """Return the reference only."""
        return f"Database({self.reference!r})"


def choose_production(
    questions: Questions,
    target: str,
    project: Project | None,
    variable: str,
    around: Surroundings,
    environ: Mapping[str, str],
) -> Database:
    """Decide where production's address is.

    Args:
        variable: the variable from which the application takes its database.
    """
    if questions.given.get("database"):
        reference = questions.ask("database", "", "", _check_reference)
        return _named(reference, environ, around)
    proposals = _proposals(target, project, variable, around, environ)
    first = proposals[0]
    place = first.place or "its address is not set here yet"
    text = f"Production's database, {place}: Enter, or env:NAME, or file:PATH, or {TYPED!r}"
    answer = questions.ask("", text, first.reference, _check_answer)
    if answer == TYPED:
        return _of_url(questions.secret("Address, postgresql://USER:PASSWORD@HOST:5432/DATABASE"), target, environ)
    if answer.startswith(SCHEMES):
        return _of_url(answer, target, environ)
    return first if answer == first.reference else _named(answer, environ, around)


def _proposals(
    target: str, project: Project | None, variable: str, around: Surroundings, environ: Mapping[str, str]
) -> list[Database]:
    """Return where production's address may be, the likeliest place first."""
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
    # The variable of settings of our own is nobody's elsewhere.
    usual = variable if variable and not variable.startswith("GENERALPROBE") else "DATABASE_URL"
    return [*found, _named(f"env:{usual}", environ, around)]


def choose_test(
    questions: Questions, target: str, production: Database, around: Surroundings, environ: Mapping[str, str]
) -> Database:
    """Decide where the address of the test database is: a variable, or a database beside production."""
    if questions.given.get("test-database"):
        return _named(questions.ask("test-database", "", "", _check_reference), environ, around)
    if address_in(environ, TEST_VARIABLE):
        return _named(f"env:{TEST_VARIABLE}", environ, around)
    if production.url:
        parts = parts_of(production.url)
        usual = parts["dbname"].encode()[: _LONGEST - 5].decode(errors="ignore") + "_test"

        def check(name: str) -> str:
            return _check_name(name, parts["dbname"])

        name = questions.ask("test-name", "Test database, made beside production on the same server", usual, check)
        return _of_url(as_url({**parts, "dbname": name}), f"{target}-test", environ)
    if production.railway and (other := _other_environment(production.railway, around)):
        return Database(production.reference, f"{other.environment} on Railway", railway=other)
    return _named(f"env:{TEST_VARIABLE}", environ, around)


def _check_name(name: str, production: str) -> str:
    if name != production and 0 < len(name.encode()) <= _LONGEST and name.isprintable():
        return name
    raise UsageError("the test database needs a name of its own", f"{production}_test")


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
    """Return the address that a file of the user's holds; empty where it holds none. A secret."""
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError):
        return ""
    return address_in({"": lines[0].strip()}, "") if lines else ""


def _of_url(url: str, name: str, environ: Mapping[str, str]) -> Database:
    """A database whose address goes into a private file."""
    parts = _checked(url)
    home = Path(environ.get("HOME") or "~").expanduser()
    folder = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "generalprobe"
    file = _free(folder, f"{name}-url", url)
    shown = f"~/{file.relative_to(home)}" if file.is_relative_to(home) else str(file)
    return Database(f"file:{shown}", place_of(parts), url, file)


def _free(folder: Path, name: str, url: str) -> Path:
    """Return a file that is not there yet, or that holds this very address."""
    for number in range(1, 100):
        file = folder / (name if number == 1 else f"{name}-{number}")
        if not os.path.lexists(file):
            return file
        try:
            if file.read_text(encoding="utf-8") == f"{url}\n":
                return file
        except (OSError, UnicodeError):
            continue
    raise UsageError(f"{folder}: too many files are called {name}", f"ls {folder}")


def _checked(url: str) -> dict[str, str]:
    try:
        parts = parts_of(url) if url.startswith(SCHEMES) else {}
    except ValueError:
        parts = {}
    if not parts.get("dbname") or "\n" in url:
        raise UsageError(
            "that is no address of a PostgreSQL database", "postgresql://USER:PASSWORD@HOST:5432/DATABASE"
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
