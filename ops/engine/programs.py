"""A server's own programs, by its version: where Debian, Red Hat and others put them."""

from __future__ import annotations

from pathlib import Path

from ops.errors import UsageError

PLACES = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin", "/usr/local/pgsql/bin")


def programs_of(where: str, given: str, major: str) -> str:
    """The folder with the server's programs.

    Args:
        where: file, line and target, for the error.
        given: the inventory's own; the usual places where empty.
        major: the server's major version.

    Raises:
        UsageError: they are nowhere.
    """
    places = [given] if given else [place.format(major) for place in PLACES]
    for place in places:
        if (Path(place) / "pg_ctl").is_file() and (Path(place) / "postgres").is_file():
            return place
    said = f"{where}: the programs of a PostgreSQL {major} server are not in {' or '.join(places)}"
    raise UsageError(said, f"pgbackrest: {{bin: FOLDER}}   or   apt-get install postgresql-{major}")
