"""The rows that a backup takes from another one: the files in its folder ``base``, and the list of their tables.

``ops.backups.unchanged_tables`` writes them; the manifest's ``base`` names the other backup.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER, LIST = "base", "tables.jsonl"
DATA = "TABLE DATA"


@dataclass(frozen=True)
class LargeTable:
    """Identify a table of the dumped database: its name in SQL, its oid, schema and name, and its size in bytes."""

    name: str
    oid: str
    schema: str
    table: str
    bytes: int = 0

    @property
    def entry(self) -> str:
        """Return how the entry of its rows begins in an archive's list."""
        return f"{DATA} {self.schema} {self.table} "


def read_tables(path: Path) -> list[LargeTable]:
    """Read the tables from a file of ``large_tables.sql`` or from a backup's list; none without the file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [LargeTable(**json.loads(line)) for line in lines if line]


def tables_in_base(folder: Path) -> list[LargeTable]:
    """Return the tables whose rows the backup in a folder takes from another one."""
    return read_tables(folder / FOLDER / LIST)


def name_in_base(name: str) -> str:
    """Return the name that a file of a backup has in the other backup; empty if the file is the backup's own."""
    return name.removeprefix(f"{FOLDER}/") if name.startswith(f"{FOLDER}/") else ""
