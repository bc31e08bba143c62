"""The inventory's ``defang`` of a target with its SQL files, to which a run is bound by a digest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ops.core.errors import Refused, StepFailed
from ops.core.files import sha256
from ops.defang.catalog import Catalog, read_catalog
from ops.engine.command import Query
from ops.infra.postgres.client import json_lines, said_error
from ops.infra.postgres.grants import grant
from ops.infra.session.session import Session
from ops.inventory.defang import Defang
from ops.inventory.locate import where


@dataclass(frozen=True)
class Request:
    """The inventory's ``defang``, and each SQL file that it names with its sha256."""

    defang: Defang
    files: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """The digest of the key and of the content of its files."""
        return hashlib.sha256(f"{self.defang.model_dump_json()}{self.files}".encode()).hexdigest()[:16]


def read_request(session: Session, target: str) -> Request | None:
    """Return the inventory's ``defang`` of a target; None if there is none.

    Raises:
        Refused: an SQL file cannot be read; with file and line of the inventory.
    """
    defang = session.inventory.target(target).defang
    if defang is None:
        return None
    files = []
    for number, name in enumerate(defang.sql):
        try:
            files.append((name, sha256(session.inventory.path(name))))
        except OSError as error:
            place = where(session.inventory, session.addresses.entry(target), "defang", "sql", number)
            raise Refused(
                f"{place}: {name}: {(error.strerror or 'can not be read').lower()}", f"ls -l {name}"
            ) from None
    return Request(defang, tuple(files))


def read_planned(session: Session, target: str, digest: str) -> Request:
    """Return the inventory's ``defang`` if it is the one with which a run was planned.

    Args:
        digest: the digest of the plan; empty by hand, to accept the current inventory.

    Raises:
        Refused: the inventory has no ``defang``, or the digest differs.
    """
    found = read_request(session, target)
    if found is None:
        raise Refused(f"{target}: the inventory has no `defang`", "defang: {}   (docs/how-to/mask-clones.md)")
    if digest and found.digest != digest:
        names = ", ".join(["its `defang` in the inventory", *(name for name, _ in found.files)])
        raise Refused(
            f"{target}: changed since this run was planned: {names}",
            f"inv undo   and then   inv clone-prod-to-test --target={target}; or revert the change, then   inv resume",
        )
    return found


def catalog_of(session: Session, target: str, database: str = "") -> Catalog:
    """Return the tables of a database; read-only.

    Raises:
        StepFailed: the query failed.
    """
    done = session.run(Query("defang_catalog.sql", target, database))
    if done.exit:
        raise StepFailed(
            f"{target}: its tables could not be listed: {said_error(done.err)}", grant(session.role(target), done.err)
        )
    return read_catalog(json_lines(done.out))
