"""Obtain the state of the release: the pending migrations, and the certificate of their rehearsal."""

from __future__ import annotations

from ops.application.database_aliases import check_isolated, check_told, others
from ops.application.drawing_functions import may_draw
from ops.application.manage import concurrent, only_adds
from ops.application.operations import Application
from ops.application.probe import commit_of, declarations, probe, unfit
from ops.core.errors import Refused, UsageError
from ops.engine.needs import Need
from ops.infra.session.store_access import target_folder
from ops.inventory.locate import where
from ops.procedures.planning.from_inventory import Given
from ops.procedures.planning.look import Look, NothingToDo
from ops.release import certificate
from ops.release.measuring.migration_metrics import asks_freeze


def migrations(look: Look, _: Given) -> Given:
    """Return the pending migrations, and whether production is frozen for them.

    Raises:
        NothingToDo: no migration is pending.
    """
    session, entry = look.session, look.entry
    if entry.app is None:
        raise UsageError(
            f"{where(session.inventory, entry)} has no app, so no migrations can be run",
            "app: {dir: ../shop, manage: [python, manage.py]}",
        )
    declarations(session, entry.name)
    found = probe(session, entry.name, entry.name)
    if wrong := unfit(found, "python manage.py"):
        raise Refused(f"{entry.name}: {wrong[0]}", wrong[1])
    if not found["pending"]:
        raise NothingToDo("no migration is pending: production has every migration of this release")
    check_told(entry.name, found)
    if others(found) and look.needs(Need.REHEARSAL_DATABASE):
        check_isolated(entry.name, probe(session, entry.name, entry.name, rehearses=True))
    return {
        "release": {
            "pending": tuple(m["name"] for m in found["pending"]),
            "concurrent": concurrent(found),
            "opaque": bool((known := Application.read(found)).opaque),
            "draws": may_draw(session, entry.name, known),
        },
        "deploy": {"commit": commit_of(session, entry.name).removesuffix("-dirty")},
        "freezes": {"always": True, "never": False}.get(entry.freeze, not only_adds(found["pending"])),
    }


def newest_certificate(look: Look, given: Given) -> Given:
    """Return the newest certificate and its backup.

    With ``freeze: auto``, measurements of the rehearsal can require a freeze. A backup with excluded tables requires
    one, too: the last backup, taken under the freeze, excludes none."""
    folder = target_folder(look.session, look.entry.name)
    name = certificate.newest(folder)
    found = certificate.read(folder, name)
    asked = look.entry.freeze == "auto" and bool(asks_freeze(found.measured) or found.excluded)
    freezes = given.get("freezes", False) or asked
    return {"release": {"certificate": name}, "backup": found.bound.backup, "freezes": freezes}
