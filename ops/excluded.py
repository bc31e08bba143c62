"""Tables whose rows stay out of a backup (``dump: {exclude: […]}``): what they are, and where that must not be."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ops import counted
from ops.backup import Manifest, age, read_manifest
from ops.command import Query
from ops.errors import OpsError, Refused, StepFailed
from ops.fingerprint import listed, not_backed_up
from ops.inputs import Inputs
from ops.inventory_yaml import Tree, nearest, read
from ops.operations import Application, Operation
from ops.postgres import json_lines, said_error
from ops.rights import grant
from ops.verdict import BOOKKEEPING
from ops.world import World


@dataclass(frozen=True)
class Excluded:
    """The tables, with about how many rows they have, and the bytes that all of them take with their indexes."""

    tables: dict[str, int]
    bytes: int


def look(world: World, target: str, patterns: Sequence[str]) -> Excluded:
    """Find the tables that patterns mean.

    Raises:
        Refused: a pattern means none, or a restore would not stand without the rows.
        StepFailed: the database does not answer.
    """
    given = {"exclude": " ".join(patterns), "kept": "{" + ",".join(BOOKKEEPING) + "}"}
    done = world.run(Query("check_excluded.sql", target, parameters=given))
    if done.exit:
        raise StepFailed(
            f"{target}: its tables could not be listed: {said_error(done.err)}", grant(world, target, done.err)
        )
    found = json_lines(done.out)[0]
    names: list[str] = found["names"]  # type: ignore[assignment]
    if unmatched := [str(pattern) for pattern in found["unmatched"]]:  # type: ignore[attr-defined]
        _unmatched(world, target, unmatched, names)
    if django := [str(name) for name in found["django"]]:  # type: ignore[attr-defined]
        raise Refused(
            f"{where(world, target)}: `exclude` meets {listed(django)}, without whose rows Django can't work",
            "exclude: name the tables that are meant",
        )
    if broken := [tuple(map(str, key)) for key in found["broken"]]:  # type: ignore[attr-defined]
        said = [f"{key} of {table} leads to {to}" for key, table, to in broken]
        words = "; ".join(said[:3]) + (f"; and {len(said) - 3} more" if said[3:] else "")
        raise Refused(
            f"{where(world, target)}: without its rows a restore would not stand: foreign key {words}",
            f"take {broken[0][2]} out of `exclude`, or leave out {broken[0][1]}, too",
        )
    return Excluded(dict(found["tables"]), int(str(found["bytes"])))  # type: ignore[call-overload]


def said(found: Excluded) -> str:
    """The tables, before they are left out."""
    return not_backed_up(found.tables).replace(" was not ", " will not be ").replace(" were not ", " will not be ")


def _unmatched(world: World, target: str, patterns: Sequence[str], names: Iterable[str]) -> None:
    pattern = patterns[0]
    bare = {name.removeprefix("public."): name for name in names}
    elsewhere = [name for name in bare.values() if name.split(".")[-1] == pattern]
    guess = elsewhere[0] if elsewhere else nearest(pattern, bare)
    raise Refused(
        f"{where(world, target, pattern)}: `exclude` has {pattern}, and no table is called so"
        + ("" if "." in pattern else " in the schema public"),
        f"exclude: [{guess}]" if guess else "exclude: [SCHEMA.TABLE], with * and ?; or take it out",
    )


def where(world: World, target: str, pattern: str = "", key: str = "exclude") -> str:
    """File, line and target where ``dump``, or a part of it, stands, as a message begins."""
    file, line = world.inventory.file, world.inventory.target(target).line
    with contextlib.suppress(OpsError):
        for _, variables in Tree(read(file)).layers(target):
            if node := variables.get("dump"):
                inner = node.at([key])
                entries = inner.value if isinstance(inner.value, tuple) else ()
                line = next((one.line for one in entries if pattern and one.value == pattern), inner.line)
    return f"{file.name}:{line}: {target}"


def of(world: World, c: Inputs) -> dict[str, int]:
    """The tables whose rows stayed out of a run's backup, with about how many; none where it has no backup yet."""
    try:
        return read_manifest(world.inventory.path(c.backup_folder)).excluded if c.backup else {}
    except OpsError:
        return {}


def must_be_whole(target: str, manifest: Manifest, known: Iterable[Manifest]) -> None:
    """Refuse to make live what does not hold every table's rows.

    Args:
        known: the target's backups, oldest first.

    Raises:
        Refused: rows stayed out of it.
    """
    if not manifest.excluded:
        return
    known = list(known)
    if newest := counted.newest(counted.whole(known)):
        whole = f"--backup={newest.backup}   (whole, {age(newest.taken_at)} old)   or   "
    elif held := counted.newest(counted.held(known)):
        whole = f"inv unpack --target={target} --backup={held.backup}   (whole, {age(held.taken_at)} old)   or   "
    else:
        whole = ""
    raise Refused(
        f"{target}: backup {manifest.backup} is not whole: {not_backed_up(manifest.excluded)}; they would be live and "
        "empty, their rows only in the replaced database; nothing was changed",
        f"{whole}inv salvage --target={target} --backup={manifest.backup} --table=TABLE   brings rows of other tables "
        "back; where production is lost, the same again with --incomplete (docs/large.md)",
    )


def must_not_touch(world: World, target: str, said: Sequence[str]) -> None:
    """Refuse a rehearsal without rows that the migrations work on.

    Args:
        said: what of them does (see ``touched``).

    Raises:
        Refused: always.
    """
    more = f"; and {len(said) - 3} more" if said[3:] else ""
    raise Refused(
        f"{where(world, target)}: the pending migrations work on a table whose rows stay out of the backup, so nothing "
        f"would be proved of them: {'; '.join(said[:3])}{more}",
        f"take it out of `exclude` for this release, and then   inv release --target={target}",
    )


def touched(app: Application, names: Collection[str]) -> list[str]:
    """What of the pending migrations works on one of these tables, a sentence each; its rows could not be proved.

    Args:
        names: tables as the database calls them, ``schema.table``.
    """
    tables = {_bare(name): name for name in names}
    models = {table: model.rpartition(".")[2] for model, table in app.models_before.items() if table in tables}
    said = []
    for operation in app.operations:
        hit = _worked_on(operation) & tables.keys()
        if operation.opaque:
            hit |= {table for table in tables if operation.says(table) or operation.says(models.get(table, table))}
        said += [f"{operation.migration}: {operation.words} works on {tables[table]}" for table in sorted(hit)]
    # A new foreign key is checked against rows that are not there.
    new = {link for link in app.links_after if link.constraint and link.to_table in tables} - set(app.links_before)
    said += [f"a new foreign key of {link.table} leads to {tables[link.to_table]}" for link in sorted(new)]
    return list(dict.fromkeys(said))


def _bare(name: str) -> str:
    """A table as Django calls it: without the schema, where that is on its search path, and without quotes."""
    return re.sub(r'^("(?:[^"]|"")*"|[^".]+)\.', "", name).strip('"').replace('""', '"')


def _worked_on(operation: Operation) -> set[str]:
    renamed = {name for pair in operation.tables_renamed for name in pair}
    own = {operation.table, operation.new_table, *operation.throughs, *operation.drops, *operation.makes}
    looped = {loop.table for loop in operation.loops}
    return (own | renamed | looped) - {""}
