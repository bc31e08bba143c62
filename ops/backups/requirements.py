"""Determine what a restore of a backup requires of a server and a machine, and what a server lacks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.core.sql_names import identifier
from ops.core.text import amount, listed
from ops.infra.postgres.grants import membership
from ops.infra.stores.manifest import Manifest
from ops.verdict.fingerprint import about_in, read

# Roles that every server has.
_GIVEN = ("PUBLIC", "pg_database_owner")
_PUBLIC, _LARGE = "schema public", "large objects of "
# Everything that a restore has to know of a server, in one query.
SERVER = """
SELECT json_build_object(
    'number', current_setting('server_version_num')::int, 'role', current_user,
    'super', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    'roles', (SELECT json_object_agg(rolname, pg_has_role(oid, CASE
        WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)) FROM pg_roles),
    'supers', (SELECT json_agg(rolname) FROM pg_roles WHERE rolsuper),
    'extensions', (SELECT coalesce(json_agg(DISTINCT name), '[]') FROM pg_available_extensions),
    'tablespaces', (SELECT json_agg(spcname) FROM pg_tablespace),
    'encoded', pg_char_to_encoding(%s) >= 0)
"""


@dataclass(frozen=True)
class Needs:
    """Hold the requirements of a restore.

    ``owners`` own restored objects; ``only_public`` own only the schema public. ``roles`` are all named roles.
    ``extensions`` maps a name to the dumped version. Sizes are in bytes."""

    major: int
    client: int
    encoding: str = ""
    locale: str = ""
    owners: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict)
    tablespaces: tuple[str, ...] = ()
    zstd: bool = False
    sealed: bool = False
    tables: int = 0
    bytes: int = 0
    restored: int = 0
    only_public: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """Return the requirements for ``--json``."""
        return {**self.__dict__, "extensions": dict(self.extensions)}

    def lines(self, identity: str) -> list[list[str]]:
        """Return the requirements as rows of a table for a person.

        Args:
            identity: the place of the key that decrypts the backup, as in the inventory.
        """
        extensions = [f"{name} {version}".strip() for name, version in self.extensions.items()]
        key = f"age's secret key ({identity or 'no inventory names it'}); the backup cannot be decrypted without it"
        tools = f"pg_restore and psql {self.client} or newer, no newer than the server from 17 on"
        return [
            ["server", f"PostgreSQL {self.major} or newer"],
            ["tools", tools + (", built with zstd" if self.zstd else "")],
            ["encoding", self.encoding or "not recorded in this backup"],
            ["locale", self.locale or "not recorded in this backup"],
            ["extensions", ", ".join(extensions) or "none"],
            ["roles", ", ".join(self.roles) or "none besides the restoring role"],
            ["tablespaces", ", ".join(self.tablespaces) or "none besides the default tablespace"],
            ["key", key if self.sealed else "none: the backup is not encrypted"],
            ["dump", amount(self.bytes)],
            ["restored", amount(self.restored) if self.restored else "not recorded in this backup"],
            [
                "locks",
                f"max_locks_per_transaction × max_connections above {self.tables:,} (tables), to back it up again",
            ],
        ]


def needs(manifest: Manifest, folder: Path) -> Needs:
    """Read the requirements of a backup.

    Args:
        folder: the backup's folder.

    Raises:
        OpsError: the backup's fingerprint cannot be read.
    """
    path = folder / "fingerprint.jsonl"
    found, about = read(path), about_in(path)
    owned = _owned(found.objects)
    owners = set(owned.values())
    named = owners | set(about.get("roles", ())) | _grantees(found.objects)
    versions = {name: state for (kind, name), state in found.objects.items() if kind == "version"}
    kind = {"i": "ICU", "b": "builtin"}.get(str(about.get("provider")), "libc")
    locale = about.get("locale") or about.get("collate")
    return Needs(
        major=manifest.server // 10000,
        client=int(str(manifest.client).split(".")[0] or 0),
        encoding=str(about.get("encoding") or ""),
        locale=f"{locale} ({kind})" if locale else "",
        owners=tuple(sorted(owners - {*_GIVEN})),
        only_public=tuple(sorted(owners - {role for name, role in owned.items() if name != _PUBLIC})),
        roles=tuple(sorted(name for name in named if name not in _GIVEN)),
        extensions=about.get("extensions") or {name.removeprefix("extension "): is_ for name, is_ in versions.items()},
        tablespaces=tuple(sorted({state for (kind, _), state in found.objects.items() if kind == "tablespace"})),
        zstd=any(name.endswith(".zst") for name in manifest.files),
        sealed=manifest.sealed,
        tables=len(found.tables),
        bytes=manifest.whole,
        restored=manifest.database_bytes,
    )


def _owned(objects: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return the owner of each object. The lines of large objects have the owner in the name."""
    owners = {name: state for (kind, name), state in objects.items() if kind == "owner"}
    return {name: name.removeprefix(_LARGE) if name.startswith(_LARGE) else state for name, state in owners.items()}


def _grantees(objects: Mapping[tuple[str, str], str]) -> set[str]:
    grants = [state for (kind, _), state in objects.items() if kind in ("grants", "default privileges")]
    return {one.rsplit("=", 1)[0] for text in grants for one in _list(text) if "=" in one}


def _list(text: str) -> list[str]:
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


def lacking(wanted: Needs, server: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what a server lacks for a restore with owners and grants, each with the statement for an administrator.

    Args:
        server: the result of ``SERVER``.
    """
    said = []
    role, there = identifier(server["role"]), server["roles"]
    if server["number"] // 10000 < wanted.major:
        said.append(
            (f"it is PostgreSQL {server['number'] // 10000}", f"a server of PostgreSQL {wanted.major} or newer")
        )
    if wanted.encoding and not server["encoded"]:
        said.append((f"it does not support the encoding {wanted.encoding}", "another server"))
    if gone := [name for name in wanted.roles if name not in there]:
        types = "; ".join(f"CREATE ROLE {identifier(name)} NOLOGIN" for name in gone)
        said.append((f"it has no role {listed(gone)}", types))
    # A superuser's schema public keeps the owner of the new database (ops/backups/archive_entries.py).
    left = set(wanted.only_public) & set(server["supers"])
    owners = [name for name in wanted.owners if name not in left]
    if closed := [name for name in owners if not server["super"] and there.get(name) is False]:
        # Never grant membership in a superuser.
        beyond = "ALTER … OWNER TO {}   on production, of what inv doctor --restore names, and a new backup"
        ways = [membership(name, role, server["number"]) for name in closed if name not in server["supers"]]
        types = "; ".join([*ways, *([beyond.format(role)] if len(ways) < len(closed) else [])])
        said.append((f"{server['role']} may not create objects of {listed(closed)}, who own dumped objects", types))
    if missing := [name for name in wanted.extensions if name not in server["extensions"]]:
        said.append((f"it does not have the extension {listed(missing)}", f"install the package of {listed(missing)}"))
    if places := [name for name in wanted.tablespaces if name not in server["tablespaces"]]:
        types = "; ".join(f"CREATE TABLESPACE {identifier(name)} LOCATION …" for name in places)
        said.append((f"it has no tablespace {listed(places)}", types))
    return said
