"""Obtain the state to which production can be rolled back: a backup, or a kept database."""

from __future__ import annotations

from ops.backups import selection
from ops.backups.exclusions import must_be_whole
from ops.core.errors import UsageError
from ops.engine import journal
from ops.infra.session.store_access import target_folder
from ops.infra.stores import manifest as backup
from ops.procedures.planning.from_inventory import Given, join
from ops.procedures.planning.look import Look
from ops.recovery.rollback import kept_databases
from ops.recovery.salvage.resolve import bound

# From this size on, a rollback gathers statistics in two stages.
LARGE = 10 << 30


def backup_to_restore(look: Look, given: Given) -> Given:
    """Return the backup of a rollback. A partial backup is refused without ``--incomplete``."""
    found, folder = _chosen(look), target_folder(look.session, look.entry.name)
    manifest, wanted = found.manifest, look.wanted
    if not wanted.incomplete:
        must_be_whole(look.entry.name, manifest, backup.backups(folder))
    large = (manifest.database_bytes or int(look.here["size"])) >= LARGE
    return join(
        _of(found),
        {
            "deploy": {"commit": _released(manifest)},
            "rollback": {"export": wanted.export, "large": large},
            "freezes": not given["frozen"] and (wanted.freeze or look.entry.freeze == "always"),
        },
    )


def backup_to_salvage(look: Look, _: Given) -> Given:
    """Return the backup and the tables of a salvage. The backup may hold only some rows."""
    found = _chosen(look, delta=True)
    tables = bound(look.session, look.entry.name, found.manifest, look.wanted.salvage)
    return join(_of(found), {"salvage": tables})


def _chosen(look: Look, *, delta: bool = False) -> selection.Choice:
    folder = target_folder(look.session, look.entry.name)
    found = selection.choose(folder, look.wanted.backup, journal.runs(folder), look.dumped, delta=delta)
    look.dumped = max(look.dumped, found.manifest.server // 10000)
    return found


def _of(found: selection.Choice) -> Given:
    manifest = found.manifest
    return {"backup": manifest.backup, "chosen": found.said, "encryption": {"sealed": manifest.sealed}}


def failed_release(look: Look, _: Given) -> Given:
    """Return the run to roll back."""
    return {"rollback": {"failed_run": look.wanted.failed_run}}


def kept_to_swap_in(look: Look, given: Given) -> Given:
    """Return the kept database to make live, and the release that was deployed when it was replaced."""
    target, wanted = look.entry.name, look.wanted
    if wanted.backup:
        raise UsageError(f"{target}: --backup and --to-replaced exclude each other", "inv rollback --help")
    known = kept_databases.kept(look.session, target, given["database"])
    return _kept(look, kept_databases.to_swap_in(target, known, wanted.kept))


def kept_to_discard(look: Look, given: Given) -> Given:
    """Return the kept database to drop."""
    target, live = look.entry.name, given["database"]
    known = kept_databases.kept(look.session, target, live)
    return _kept(look, kept_databases.to_discard(target, known, look.wanted.kept, live, look.entry.keep_replaced))


def _kept(look: Look, one: kept_databases.Kept) -> Given:
    known = backup.backups(target_folder(look.session, look.entry.name))
    safety = [m for m in known if m.backup == f"{one.run}_safety"]
    release = _released(safety[0]) if safety and one.what == "replaced" else ""
    kept = {"name": one.name, "oid": one.oid}
    return {"kept": kept, "chosen": f"{one.name}: {one.story}", "deploy": {"commit": release}}


def _released(manifest: backup.Manifest) -> str:
    return manifest.commit.removesuffix("-dirty")
