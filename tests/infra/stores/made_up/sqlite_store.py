"""sqlite:///FILE: a made-up kind of store, as a contributor would add it; this file is all of it."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from ops.core.errors import Unreachable
from ops.core.files import arriving
from ops.infra.stores.base import Changed, Kept

TABLE = """
CREATE TABLE IF NOT EXISTS kept (key TEXT UNIQUE, content BLOB, at TEXT, tag INTEGER PRIMARY KEY AUTOINCREMENT)
"""


class SqliteStore:
    """A file of SQLite's that holds everything.

    Args:
        url: ``sqlite:///FILE``; the file is made where it is missing.
        environ: taken as every kind takes it; nobody has to be anybody here.
    """

    def __init__(self, url: str, environ: Mapping[str, str] | None = None) -> None:
        self.url, self._file = url, url.removeprefix("sqlite://")

    def listed(self, prefix: str) -> dict[str, Kept]:
        """Every object below a prefix, by its key."""
        with self._open() as db:
            rows = db.execute("SELECT key, length(content), tag, at FROM kept ORDER BY key").fetchall()
        folder = prefix and prefix.rstrip("/") + "/"
        found = {key: Kept(size, str(tag), datetime.fromisoformat(at)) for key, size, tag, at in rows}
        return {key: kept for key, kept in found.items() if key.startswith(folder)}

    def put(self, key: str, path: Path) -> str:
        """Send a file whole; gives its tag."""
        with self._open() as db:
            return self._write(db, key, path.read_bytes())

    def swap(self, key: str, content: bytes, tag: str) -> str:
        """Write a small object only where it is still the one that is known; gives its new tag."""
        with self._open() as db:
            there, its_tag = self._row(db, key)
            if there == content:
                return its_tag
            if its_tag != tag:
                raise Changed(f"{self.url}/{key}: was changed by another process")
            return self._write(db, key, content)

    def tag(self, key: str) -> str:
        """An object's tag; empty where there is none."""
        with self._open() as db:
            return self._row(db, key)[1]

    def read(self, key: str) -> tuple[bytes, str]:
        """A small object and its tag."""
        with self._open() as db:
            content, tag = self._row(db, key)
        if content is None:
            raise Unreachable(f"{self.url}/{key}: does not exist in the store", "inv backups")
        return content, tag

    def get(self, key: str, path: Path, size: int) -> None:
        """Fetch an object into a file that appears whole."""
        content = self.read(key)[0]
        with arriving(path) as file:
            file.write(content)

    def sha256(self, key: str, size: int) -> str:
        """An object's sha256 in hex."""
        return hashlib.sha256(self.read(key)[0]).hexdigest()

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects, one after the other; one that is gone already is no error."""
        for key in keys:
            with self._open() as db:
                db.execute("DELETE FROM kept WHERE key = ?", [key])

    def free(self) -> int | None:
        """It does not tell."""
        return None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction that nobody else writes meanwhile."""
        try:
            with contextlib.closing(sqlite3.connect(self._file, timeout=30, isolation_level=None)) as db:
                db.execute(TABLE)
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise Unreachable(f"{self.url}: {error}", f"ls -l {self._file}") from None

    def _row(self, db: sqlite3.Connection, key: str) -> tuple[bytes | None, str]:
        found = db.execute("SELECT content, tag FROM kept WHERE key = ?", [key]).fetchone()
        return (found[0], str(found[1])) if found else (None, "")

    def _write(self, db: sqlite3.Connection, key: str, content: bytes) -> str:
        now = datetime.now(UTC).isoformat()
        words = "INSERT OR REPLACE INTO kept (key, content, at) VALUES (?, ?, ?)"
        return str(db.execute(words, [key, content, now]).lastrowid)
