"""Take the rows of unchanged tables from an earlier backup instead of dumping them again.

``dump.sql`` with the variable ``base`` reads the fingerprint first, and then runs this module. A table is unchanged if
its rows, columns and types are those of the earlier backup's fingerprint. The earlier dump's files are linked into the
new backup's folder ``base``, so the new backup stays complete if the earlier one is removed. ``base/tables.jsonl``
lists the tables whose rows come from there. pg_dump gets options to leave out their rows.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from ops.core.errors import OpsError
from ops.core.files import make_folder, write_lines
from ops.core.sql_names import parse
from ops.core.text import counted, megabytes
from ops.infra.stores.base_tables import DATA, FOLDER, LIST, LargeTable, read_tables, tables_in_base
from ops.infra.stores.encryption import DUMP
from ops.verdict import fingerprint


def unchanged(
    old: fingerprint.Fingerprint, new: fingerprint.Fingerprint, large: Iterable[LargeTable]
) -> list[LargeTable]:
    """Return the large tables that have the same rows and columns in both fingerprints."""
    return [
        table
        for table in large
        if table.name not in old.excluded
        and table.name in new.tables
        and fingerprint.equal(old.tables.get(table.name), new.tables[table.name])
    ]


def entries(lines: Iterable[str], tables: Iterable[LargeTable]) -> dict[str, str]:
    """Find the entries of tables' rows in an archive's list.

    An entry must have the table's oid and name: a table that was created anew has another oid.

    Returns:
        the table's name in SQL to the line of the list.
    """
    wanted, found = {table.oid: table for table in tables}, {}
    for line in lines:
        number, _, rest = line.partition("; ")
        _, _, rest = rest.partition(" ")
        oid, _, entry = rest.partition(" ")
        if number.isdecimal() and oid in wanted and entry.startswith(wanted[oid].entry):
            found[wanted[oid].name] = line
    return found


def link_dump(base: Path, into: Path, tables: list[LargeTable]) -> list[LargeTable]:
    """Link the files of an earlier dump that hold the rows of tables.

    Returns:
        the tables whose rows were found.
    """
    dump = base / "dump"
    if not dump.is_dir():
        name = DUMP if (base / DUMP).exists() else "dump"
        _link(base / name, into / name)
        return tables
    lines = entries((base / "list.txt").read_text(encoding="utf-8", errors="surrogateescape").splitlines(), tables)
    files = {path.name.split(".")[0]: path for path in dump.glob("*.dat*")}
    found = [table for table in tables if table.name in lines and _number(lines[table.name]) in files]
    if found:
        _link(dump / "toc.dat", into / "dump" / "toc.dat")
    for table in found:
        path = files[_number(lines[table.name])]
        _link(path, into / "dump" / path.name)
    return found


def _number(line: str) -> str:
    return line.partition(";")[0]


def _link(path: Path, to: Path) -> None:
    """Link a file; copy it where the file system has no links."""
    make_folder(to.parent)
    try:
        os.link(path, to, follow_symlinks=False)
    except OSError:
        shutil.copyfile(path, to)
        to.chmod(0o600)


def reused(folder: Path, base: str) -> str:
    """Return a sentence about the tables whose rows a backup takes from another one; empty if it has none."""
    tables = tables_in_base(folder)
    size = megabytes(sum(table.bytes for table in tables))
    return f"{counted(len(tables), 'table')} ({size}) unchanged since {base}: rows taken from there" if tables else ""


def reuse(base: Path, folder: Path, large: list[LargeTable]) -> list[LargeTable]:
    """Link what an earlier backup has of the live tables into a new backup's folder, and list the tables.

    Args:
        base: the folder of the earlier backup; one that itself takes rows from another backup is not used.
        folder: the folder of the new backup, with its fingerprint.
        large: the live tables of a certain size.

    Returns:
        the tables whose rows need not be dumped; empty if the new backup must be dumped completely.
    """
    if (base / FOLDER).exists():
        return []
    old, new = (fingerprint.read(one / "fingerprint.jsonl") for one in (base, folder))
    same = unchanged(old, new, large)
    found = link_dump(base, folder / FOLDER, same) if same else []
    if found:
        lines = (json.dumps(vars(table), ensure_ascii=False) for table in found)
        write_lines(folder / FOLDER / LIST, lines)
    return found


def misplaced(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the tables whose rows are not exactly once in a backup: in its dump, or in ``base``.

    Without the archive's list (``list.txt``) nothing can be said, and the result is empty.

    Args:
        folder: the folder of the backup.
        names: the tables of its fingerprint.
    """
    listed = folder / "list.txt"
    based = {table.name for table in tables_in_base(folder)}
    if not based or not listed.exists():
        return []
    lines = listed.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    dumped = [line.partition(f" {DATA} ")[2] for line in lines if f" {DATA} " in line]
    # The owner's name follows. A name with blanks may begin like a shorter one.
    exact = {one.rpartition(" ")[0] for one in dumped}
    found = []
    for name in names:
        entry = " ".join(parse(name))
        there = entry in exact or any(one.startswith(f"{entry} ") for one in dumped if " " in entry)
        if there == (name in based):
            found.append(name)
    return found


def main(words: list[str]) -> int:
    """Print pg_dump's options to leave out the rows of unchanged tables, separated by tabs.

    After an error the complete database is dumped, and the error is reported."""
    base, folder, listed = (Path(word) for word in words)
    try:
        found = reuse(base, folder, read_tables(listed))
    except (OpsError, OSError, ValueError, TypeError) as error:
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        print(f"the complete database is dumped, because {base} can't be used: {error}", file=sys.stderr)
        return 0
    print("".join(f"\t--exclude-table-data={table.name}" for table in found), end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
