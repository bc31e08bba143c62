"""Find the tables whose rows a backup excludes (``dump: {exclude: […]}``), and refuse harmful exclusions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.core.errors import OpsError, Refused, StepFailed
from ops.core.text import age, listed
from ops.core.yaml_lines import nearest
from ops.engine.command import Query
from ops.engine.hooks import HOOKS
from ops.engine.inputs import RunInputs
from ops.infra.postgres.client import json_lines, said_error
from ops.infra.postgres.grants import grant
from ops.infra.session.session import Session
from ops.infra.stores import backup_kinds
from ops.infra.stores.manifest import Manifest, read_manifest
from ops.inventory.locate import where
from ops.verdict.fingerprint import not_backed_up
from ops.verdict.model import BOOKKEEPING


@dataclass(frozen=True)
class Excluded:
    """The excluded tables with their approximate row counts, and the bytes of all of them, indexes included."""

    tables: dict[str, int]
    bytes: int


def look(session: Session, target: str, patterns: Sequence[str]) -> Excluded:
    """Find the tables that match the patterns.

    Raises:
        Refused: a pattern matches no table, or a restore would fail without the rows.
        StepFailed: the database does not answer.
    """
    at = where(session.inventory, session.addresses.entry(target), "dump", "exclude")
    given = {"exclude": " ".join(patterns), "kept": "{" + ",".join(BOOKKEEPING) + "}"}
    done = session.run(Query("check_excluded.sql", target, parameters=given))
    if done.exit:
        raise StepFailed(
            f"{target}: its tables could not be listed: {said_error(done.err)}", grant(session.role(target), done.err)
        )
    found = json_lines(done.out)[0]
    names: list[str] = found["names"]  # type: ignore[assignment]
    if unmatched := [str(pattern) for pattern in found["unmatched"]]:  # type: ignore[attr-defined]
        _unmatched(session, target, unmatched, names)
    if django := [str(name) for name in found["django"]]:  # type: ignore[attr-defined]
        raise Refused(
            f"{at}: `exclude` matches {listed(django)}, whose rows Django requires",
            "exclude: name the tables to exclude",
        )
    if broken := [tuple(map(str, key)) for key in found["broken"]]:  # type: ignore[attr-defined]
        said = [f"{key} of {table} refers to {to}" for key, table, to in broken]
        words = listed(said, joint="; ")
        raise Refused(
            f"{at}: a restore would fail without the excluded rows: foreign key {words}",
            f"remove {broken[0][2]} from `exclude`, or exclude {broken[0][1]}, too",
        )
    return Excluded(dict(found["tables"]), int(str(found["bytes"])))  # type: ignore[call-overload]


def said(found: Excluded) -> str:
    """Return the tables in words, before they are excluded."""
    return not_backed_up(found.tables, ahead=True)


def _unmatched(session: Session, target: str, patterns: Sequence[str], names: Iterable[str]) -> None:
    pattern = patterns[0]
    at = where(session.inventory, session.addresses.entry(target), "dump", "exclude", pattern)
    bare = {name.removeprefix("public."): name for name in names}
    elsewhere = [name for name in bare.values() if name.split(".")[-1] == pattern]
    guess = elsewhere[0] if elsewhere else nearest(pattern, bare)
    raise Refused(
        f"{at}: `exclude` has {pattern}, and no table has this name"
        + ("" if "." in pattern else " in the schema public"),
        f"exclude: [{guess}]" if guess else "exclude: [SCHEMA.TABLE], with * and ?; or remove the pattern",
    )


def of(session: Session, c: RunInputs, _: Path) -> dict[str, int]:
    """Return the excluded tables of a run's backup with their approximate row counts; empty without a backup."""
    try:
        return read_manifest(session.inventory.path(c.backup_folder)).excluded if c.backup else {}
    except OpsError:
        return {}


HOOKS.reports["excluded"] = of


def must_be_whole(target: str, manifest: Manifest, known: Iterable[Manifest]) -> None:
    """Refuse to make a backup with excluded tables live.

    Args:
        known: the target's backups, oldest first.

    Raises:
        Refused: the backup excludes tables.
    """
    if not manifest.excluded:
        return
    known = list(known)
    if newest := backup_kinds.newest(backup_kinds.whole(known)):
        whole = f"--backup={newest.backup}   (whole, {age(newest.taken_at)} old)   or   "
    elif held := backup_kinds.newest(backup_kinds.held(known)):
        whole = f"inv unpack --target={target} --backup={held.backup}   (whole, {age(held.taken_at)} old)   or   "
    else:
        whole = ""
    raise Refused(
        f"{target}: backup {manifest.backup} is not whole: {not_backed_up(manifest.excluded)}; a rollback would make "
        "these tables empty, and their rows would be only in the replaced database; nothing was changed",
        f"{whole}inv salvage --target={target} --backup={manifest.backup} --table=TABLE   brings rows of other tables "
        "back; if production is lost, repeat the command with --incomplete (docs/how-to/large-databases.md)",
    )
