"""Run the steps of a promotion that compare production with the rehearsal."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path

from ops.application.probe import pending, probe
from ops.core.errors import DataDiffers, Refused, StepFailed
from ops.core.files import write_whole
from ops.engine.registry import tool
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.release import certificate
from ops.release.certificate import Certificate
from ops.release.new_tables import other_rows
from ops.release.production import live_writes, witness
from ops.release.production.production_check import Holdings, beside, hold, losses, objections
from ops.release.production.writers import told, writers
from ops.verdict import fingerprint, result_comparison
from ops.verdict.databases import Databases
from ops.verdict.objects.database_objects import Catalog


@tool
def check_rest(session: Session, *, target: str, name: str) -> str:
    """Compare production's applied and pending migrations with the rehearsed migrations."""
    found = certificate.read(target_folder(session, target), name)
    now = probe(session, target, target)
    if said := certificate.partly(found, set(now["applied"]), pending(now)):
        raise Refused(f"{target}: the promotion would not be as rehearsed: {'; '.join(said)}", "inv status")
    return f"{len(now['pending'])} of {len(found.pending)} rehearsed migrations are pending"


@tool
def check_writers(session: Session, *, target: str) -> str:
    """Check that nobody can write to production while it is frozen, except sessions that the tool can stop."""
    if found := writers(session, target):
        who, stop = told(found)
        raise Refused(f"{target}: could still write to a frozen production: {who}; nothing was changed", stop)
    return "nobody could write to a frozen production"


@tool
def check_unwritten(session: Session, *, target: str, before: str = "", after: str = "") -> str:
    """Prove that nobody wrote to the frozen production since its last backup."""
    if not before:
        return "production is not frozen: users can write"
    one, two = (fingerprint.read(session.inventory.path(name)) for name in (before, after))
    wrong = fingerprint.differences(one, two) or fingerprint.differences(two, one)
    if wrong := wrong or fingerprint.other_schema(one, two):
        raise DataDiffers(
            f"{target}: somebody wrote to the frozen production since the last backup; no migration was applied: "
            f"{'; '.join(wrong[:3])}",
            f"inv undo --target={target}   then find out who wrote, then   inv release --target={target}",
        )
    return f"nothing was written since the last backup: {one.rows:,} rows in {len(one.tables)} tables are equal"


@tool
def check_losses(session: Session, *, target: str, name: str) -> str:
    """Refuse migrations that would drop data of production that was neither rehearsed nor declared."""
    found = certificate.read(target_folder(session, target), name)
    with session.connect(target) as connection:
        said = losses(found, Databases({"before": connection}))
    if said:
        raise DataDiffers(
            f"{target}: the migrations would drop data that was written since the rehearsal: {'; '.join(said[:4])}",
            f"inv release --target={target}   (if production is frozen, first   inv undo --target={target})",
        )
    return "the migrations would drop only what is declared"


@tool
def hold_production(session: Session, *, target: str, name: str, before: str, report: str, frozen: str) -> str:
    """Record what production holds before its migrations."""
    found, file = certificate.read(target_folder(session, target), name), session.inventory.path(report)
    files = [*(made.file for made in found.made if made.file), *(table.file for table in found.fresh)]
    if missing := [name for name in files if not (target_folder(session, target) / name).exists()]:
        raise Refused(f"{target}: {missing[0]} of the rehearsal no longer exists", f"inv release --target={target}")
    with session.connect(target) as connection:
        look = Databases({"before": connection})
        holdings = hold(found, fingerprint.read(session.inventory.path(before)), look, file.parent, frozen == "yes")
        holdings.catalog = Catalog.read(connection)
        for number, made in enumerate(made for made in found.made if made.file):
            result_comparison.hold_rows(made, look, file.with_name(f"rows-{number}.txt"))
    write_whole(file, holdings.model_dump_json())
    # An index built concurrently would wait for the snapshot forever.
    if frozen != "yes" and all(one["atomic"] for one in probe(session, target, target)["pending"]):
        witness.hold(session, target)
    rest = len([move for move in found.moves if move.to and not move.reach])
    others = f"; {rest} that no operation reaches may change" if frozen != "yes" and rest else ""
    return f"{len(holdings.tables)} tables will be compared with the rehearsal{others}"


@tool
def verify_production(session: Session, *, target: str, name: str, held: str, after: str, frozen: str) -> str:
    """Compare production after the migrations with its rows before, in the columns that the rehearsal proved."""
    found = certificate.read(target_folder(session, target), name)
    new = fingerprint.read(session.inventory.path(after))
    written: list[str] = []
    try:
        holdings = Holdings.model_validate_json(session.inventory.path(held).read_bytes())
        with session.connect(target) as connection:
            look = Databases({"after": connection})
            if frozen == "yes":
                said = objections(found, holdings, new, look)
            else:
                said, written = live_writes.account(found, holdings, new, look, witness.held(session))
                witness.give_up(session)
            other = _other_results(session, target, found, look, session.inventory.path(held))
            wrong, explained = other_rows(found.fresh, target_folder(session, target), look, holdings.sources_written)
            other += wrong
            said += beside(found, holdings, new, Catalog.read(connection), frozen == "yes")
    except (ValueError, OSError):
        raise StepFailed(
            f"{target}: {held}: the record of production before the migrations cannot be read, so nothing is proved"
        ) from None
    said += other if frozen == "yes" else []
    if said:
        raise DataDiffers(f"{target}: production differs from the rehearsal: {'; '.join(said[:4])}")
    if frozen == "yes":
        return f"{len(holdings.tables)} tables have all their rows" + _warnings(explained)
    users = "".join(f"\n{one}" for one in written)
    touched = f"{len(holdings.tables)} tables that the operations reach have all their rows{users}"
    return touched + _warnings([*other, *explained])


def _warnings(said: list[str]) -> str:
    return "".join(f"\nWARNING: {one}" for one in said)


def _other_results(session: Session, target: str, found: Certificate, look: Databases, held: Path) -> list[str]:
    """Find rows that were equal before, but that the migrations changed differently than in the rehearsal."""
    said: list[str] = []
    files = count()
    for made in found.made:
        if made.file:
            before = held.with_name(f"rows-{next(files)}.txt")
            rows, other = result_comparison.differing(made, target_folder(session, target) / made.file, before, look)
        else:
            rows, other = result_comparison.unlike(made, look)
        said += result_comparison.told(made, rows, other, partial(look.keys, "after", made.new, made.key[1]))
    return said
