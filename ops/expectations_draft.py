"""Drafts of ``migrations.expect.yaml`` for what a verdict refused. A draft accepts nothing: every ``why`` is empty, and
an empty one is refused until a person has filled it in."""

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

from ops.expectations import KINDS, Expectations, amount, named, parts
from ops.files import write_whole
from ops.verdict import TableVerdict, Verdict

HEAD = "# What these migrations may take away or change, and why. Reviewed like code (docs/expectations.md)."
UNSURE = "which of the pending migrations did it? This is only the last that could have"


@dataclass(frozen=True)
class Drafted:
    """One entry to be: what happened, to which table or column, and by which migration, ``sure`` of that or not."""

    migration: str
    sure: bool
    table: str
    column: str
    amounts: Mapping[str, int]


def draft(left: Verdict, expectations: Expectations, names: Sequence[str]) -> list[Drafted]:
    """An entry for everything that is refused and that no entry names yet; one that was exceeded is for a person to
    raise.

    Args:
        left: the verdict without what is declared; it says by which operation, as far as that is known.
        expectations: what is there already.
        names: the rehearsed migrations, in their order; at least one.
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
    return found


def _refused(table: TableVerdict) -> list[tuple[str, dict[str, int], str]]:
    """What is to be declared of a table, and by what: columns where they account for all of it, else its rows, too."""
    columns = []
    for column in table.columns:
        amounts = {kind: amount(column, kind) for kind in ("lost", "changed") if amount(column, kind)}
        if amounts:
            columns.append((column.column, amounts, column.by))
    rows = {kind: amount(table, kind) for kind in KINDS if amount(table, kind)}
    if rows.get("changed", 0) and rows["changed"] <= sum(amounts.get("changed", 0) for _, amounts, _ in columns):
        del rows["changed"]
    return ([("", rows, table.by)] if rows else []) + columns


def _cause(by: str, names: Sequence[str]) -> tuple[str, bool]:
    """The migration that did it, and whether that is sure: the only one, or the only one that is blamed."""
    if len(names) == 1:
        return names[0], True
    blamed = [name for name in names if re.search(rf"(?:^| or ){re.escape(name)}: ", by)]
    if not blamed:
        return names[-1], False
    return blamed[-1], len(blamed) == 1 and not by.endswith(" …")


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
