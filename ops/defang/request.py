"""What the inventory wants of a target's copies, with its files: what a run is bound to, and where it stands."""

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
    """The key, the sha256 of every file that it names, and a digest of all of it."""

    defang: Defang
    files: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """Changes with the key, and with every byte of its files."""
        return hashlib.sha256(f"{self.defang.model_dump_json()}{self.files}".encode()).hexdigest()[:16]


def read_request(session: Session, target: str) -> Request | None:
    """What the inventory wants; None where it has no ``defang``.

    Raises:
        Refused: a file that it names can't be read; with file and line.
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
    """What the inventory wants, where it is what a run was planned with.

    Args:
        digest: the plan's; empty by hand, where the inventory as it is now is meant.

    Raises:
        Refused: it is not.
    """
    found = read_request(session, target)
    if found is None:
        raise Refused(f"{target}: the inventory has no `defang`", "defang: {}   (docs/how-to/mask-clones.md)")
    if digest and found.digest != digest:
        names = ", ".join(["its `defang` in the inventory", *(name for name, _ in found.files)])
        raise Refused(
            f"{target}: what this run was planned with has changed since ({names})",
            f"inv undo   and then   inv clone-prod-to-test --target={target}; or as it was, and   inv resume",
        )
    return found


def catalog_of(session: Session, target: str, database: str = "") -> Catalog:
    """The tables of a database; it is only read.

    Raises:
        StepFailed: it does not answer.
    """
    done = session.run(Query("defang_catalog.sql", target, database))
    if done.exit:
        raise StepFailed(
            f"{target}: its tables could not be listed: {said_error(done.err)}", grant(session.role(target), done.err)
        )
    return read_catalog(json_lines(done.out))
