"""Drafts of ``migrations.expect.yaml`` for what a verdict refused. A draft accepts nothing: every ``why`` is empty, and
an empty one is refused until a person has filled it in."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from ops.expectations import KINDS, Expectations, amount, named, parts
from ops.files import write_whole
from ops.verdict import TableVerdict, Verdict

HEAD = "# What these migrations may take away or change, and why. Reviewed like code (docs/expectations.md)."
UNSURE = "which of the pending migrations did it? This is only the last one"

# Operations that can be the cause. What runs somebody's own code or SQL can be the cause of anything.
FREE = ("RunPython", "RunSQL", "SeparateDatabaseAndState")
CAUSES: Mapping[str, tuple[str, ...]] = {
    "table": ("DeleteModel",),
    "column": ("RemoveField", "DeleteModel"),
    "changed": ("AlterField",),
}


@dataclass(frozen=True)
class Drafted:
    """One entry to be: what happened, to which table or column, and by which migration, ``sure`` of that or not."""

    migration: str
    sure: bool
    table: str
    column: str
    amounts: Mapping[str, int]


def draft(left: Verdict, expectations: Expectations, pending: Sequence[Mapping[str, Any]]) -> list[Drafted]:
    """An entry for everything that is refused and that no entry names yet; one that was exceeded is for a person to
    raise.

    Args:
        left: the verdict without what is declared.
        expectations: what is there already.
        pending: the rehearsed migrations as the probe tells of them, in their order; at least one.
    """
    names = [str(migration["name"]) for migration in pending]
    written = {(e.table, e.column) for e in expectations.entries if e.migration in names}
    found = []
    for table in left.refused:
        for column, amounts in _refused(table):
            if (parts(table.table), column) not in written:
                migration, sure = _cause(table, column, amounts, pending)
                name = parts(table.table)
                shown = named(name).removeprefix("public.") if name else table.table
                found.append(Drafted(migration, sure, shown, column, amounts))
    return found


def _refused(table: TableVerdict) -> list[tuple[str, dict[str, int]]]:
    """What is to be declared of a table: columns where they account for all of it, else its rows, too."""
    columns = []
    for column in table.columns:
        amounts = {kind: amount(column, kind) for kind in ("lost", "changed") if amount(column, kind)}
        if amounts:
            columns.append((column.column, amounts))
    rows = {kind: amount(table, kind) for kind in KINDS if amount(table, kind)}
    if rows.get("changed", 0) and rows["changed"] <= sum(amounts.get("changed", 0) for _, amounts in columns):
        del rows["changed"]
    return ([("", rows)] if rows else []) + columns


def _cause(
    table: TableVerdict, column: str, amounts: Mapping[str, int], pending: Sequence[Mapping[str, Any]]
) -> tuple[str, bool]:
    """The migration that did it, and whether that is sure: the only one, or the only one that could have."""
    if len(pending) == 1:
        return str(pending[0]["name"]), True
    wanted = CAUSES["changed"] if "lost" not in amounts else CAUSES["column" if column else "table"]
    name = parts(table.table)
    likely = [
        str(migration["name"])
        for migration in pending
        if name and name[1].startswith(str(migration["name"]).split(".")[0] + "_")
        if {_kind(operation) for operation in migration["operations"]} & set(wanted)
    ]
    free = any(_kind(operation) in FREE for migration in pending for operation in migration["operations"])
    if len(likely) == 1:
        return likely[0], not free
    return str(pending[-1]["name"]), False


def _kind(operation: object) -> str:
    """An operation's class, however much the probe tells of it."""
    if isinstance(operation, Mapping):
        return str(operation.get("operation") or operation.get("kind") or operation.get("type") or "")
    return str(operation)


def text(drafted: Sequence[Drafted]) -> str:
    """The draft as a file of its own."""
    return f"{HEAD}\n{_dumped(_added(CommentedMap(), drafted))}"


def write(path: Path, drafted: Sequence[Drafted]) -> None:
    """Add the draft to the file, whose comments stay; it appears whole."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    root = _yaml().load(path.read_text(encoding="utf-8")) if path.exists() else None
    if root is None:
        kept = path.read_text(encoding="utf-8").rstrip("\n") + "\n" if path.exists() else ""
        content = kept + text(drafted)
    else:
        content = _dumped(_added(root, drafted))
    write_whole(path, content)
    path.chmod(mode)


def _added(root: CommentedMap, drafted: Sequence[Drafted]) -> CommentedMap:
    places: Counter[str] = Counter()
    for entry in drafted:
        if entry.migration not in root:
            root[entry.migration] = CommentedSeq()
        # On top of what is there: a comment that follows a list belongs to its last entry for the parser.
        entries = root[entry.migration]
        entries.fa.set_block_style()
        item = CommentedMap(table=entry.table)
        if entry.column:
            item["column"] = entry.column
        item |= dict(entry.amounts)
        item["why"] = DoubleQuotedScalarString("")
        if not entry.sure:
            item.yaml_add_eol_comment(UNSURE, "table")
        entries.insert(places[entry.migration], item)
        places[entry.migration] += 1
    return root


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.preserve_quotes = True
    yaml.width = 4096
    return yaml


def _dumped(root: CommentedMap) -> str:
    stream = io.StringIO()
    _yaml().dump(root, stream)
    return stream.getvalue()
