"""Draft declarations (``migrations.expect.yaml``) for a refused verdict.

A draft allows nothing: every ``why`` is empty and refused until a person fills it in.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from ops.core.files import write_whole
from ops.verdict.expect.expectations import KINDS, Expectations, named, parts
from ops.verdict.expect.expectations_match import amount
from ops.verdict.expect.limits import ALL, Amount, drafted
from ops.verdict.model import ColumnVerdict, ObjectVerdict, TableVerdict, Verdict

HEAD = "# What these migrations may remove or change, and why. Review it like code (docs/how-to/allow-a-loss.md)."
UNSURE = "check the migration: other pending migrations could have done this, too"


@dataclass(frozen=True)
class Drafted:
    """Hold a drafted entry. ``sure``: the migration is certain."""

    migration: str
    sure: bool
    table: str
    column: str
    amounts: Mapping[str, Amount]
    object: str = ""


def draft(left: Verdict, expectations: Expectations, names: Sequence[str]) -> list[Drafted]:
    """Return an entry for each refused loss without an entry. A person must raise the limit of an exceeded entry.

    Args:
        left: the verdict without the declared losses, with the operations if known.
        expectations: the existing declarations.
        names: the rehearsed migrations in order, at least one.
    """
    written = {(e.table, e.column) for e in expectations.entries if e.migration in names}
    found = []
    for table in left.refused:
        for column, amounts, by in _refused(table):
            if (parts(table.table), column) not in written:
                migration, sure = _cause(by, names)
                name = parts(table.table)
                shown = named(name).removeprefix("public.") if name else table.table
                found.append(Drafted(migration, sure, shown, column, amounts))
    named_already = {entry.object for entry in expectations.entries if entry.migration in names}
    for one in left.against:
        if one.declarable and one.what not in named_already:
            counts = {kind: _of_object(one, n) for kind, n in (("lost", one.lost), ("changed", one.changed)) if n}
            found.append(Drafted(names[-1], len(names) == 1, "", "", counts, one.what))
    return found


def _of_object(one: ObjectVerdict, count: int) -> Amount:
    """Return a share for large objects and links to content types, which users create, and else the count.

    A share of a few grants or policies would allow further, unintended losses.
    """
    many = one.what == "large objects" or one.what.startswith("content type ")
    return drafted(count, one.before) if many else count


def _refused(table: TableVerdict) -> list[tuple[str, dict[str, Amount], str]]:
    """Return the entries for a table with their operations: columns, and rows unless the columns account for them.

    The amounts leave a margin for rows that users write before the release.
    """
    columns = [(c.column, amounts, c.by) for c in table.columns if (amounts := _of_column(table, c))]
    rows = {kind: drafted(amount(table, kind), table.rows_before) for kind in KINDS if amount(table, kind)}
    if amount(table, "changed") <= sum(amount(column, "changed") for column in table.columns):
        rows.pop("changed", None)
    return ([("", rows, table.by)] if rows else []) + columns


def _of_column(table: TableVerdict, column: ColumnVerdict) -> dict[str, Amount]:
    found = {kind: amount(column, kind) for kind in ("lost", "changed") if amount(column, kind)}
    gone = column.column not in table.mapping and not column.to
    return {kind: ALL if gone else drafted(number, table.rows_before) for kind, number in found.items()}


def _cause(by: str, names: Sequence[str]) -> tuple[str, bool]:
    """Return the migration that caused a loss, and True if it is the only possible one."""
    if len(names) == 1:
        return names[0], True
    blamed = [name for name in names if re.search(rf"(?:^| or ){re.escape(name)}: ", by)]
    if not blamed:
        return names[-1], False
    return blamed[-1], len(blamed) == 1 and not by.endswith(" …")


def text(drafted: Sequence[Drafted]) -> str:
    """Return the draft as the text of a file."""
    return f"{HEAD}\n{_dumped(_added(CommentedMap(), drafted))}"


def write(path: Path, drafted: Sequence[Drafted]) -> None:
    """Add the draft to the file atomically. Comments are retained."""
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
        subject = "object" if entry.object else "table"
        item = CommentedMap({subject: entry.object or entry.table})
        if entry.column:
            item["column"] = entry.column
        item |= dict(entry.amounts)
        item["why"] = DoubleQuotedScalarString("")
        if not entry.sure:
            item.yaml_add_eol_comment(UNSURE, subject)
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
