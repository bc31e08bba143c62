"""Translate the journals of versions that wrote no codes or effects.

The sentences and names in this module are those of the old versions. They must never change.
"""

from __future__ import annotations

from collections.abc import Mapping

from ops.core.errors import Code
from ops.engine.effects import Effect, StepEffect

_BAD_BACKUP = ("is damaged", "not what was dumped", "does not open")

EFFECTS = {
    "release": {Effect.RELEASES},
    "promote": {Effect.RELEASES},
    "rollback": {Effect.REPLACES, Effect.SAVES, Effect.KEEPS, Effect.SETS_ROWS_ASIDE},
    "rollback-to-replaced": {Effect.REPLACES, Effect.SAVES, Effect.KEEPS},
    "auto-rollback": {Effect.REPLACES, Effect.SAVES, Effect.KEEPS},
    "railway-restore": {Effect.REPLACES, Effect.SAVES},
    "salvage": {Effect.SAVES, Effect.SALVAGES},
    "unpack": {Effect.UNPACKS},
    "freeze": {Effect.MINOR},
    "unfreeze": {Effect.MINOR},
    "backup": {Effect.MINOR},
}
STEP_EFFECTS = {
    StepEffect.FREEZES: {"promote.freeze", "rollback.freeze", "railway-restore.freeze", "freeze.refuse_writes"},
    StepEffect.RESTORES: {
        "clone.restore",
        "rollback.restore",
        "drill.restore",
        "backup-pgbackrest.restore",
        "drill-pgbackrest.prove",
        "unpack.open_aside",
    },
    StepEffect.DRILLS: {"drill.restore", "drill-pgbackrest.prove"},
    StepEffect.UNFREEZES: {
        "auto-rollback.unfreeze",
        "promote.unfreeze",
        "railway-restore.unfreeze",
        "rollback.unfreeze",
        "unfreeze.take_writes",
    },
    StepEffect.MIGRATES: {"promote.migrate"},
    StepEffect.DUMPS: {f"{part}backup.{step}" for part in ("", "last-", "safety-") for step in ("dump", "seal")},
    StepEffect.SEALS: {"backup.seal", "last-backup.seal", "safety-backup.seal"},
    StepEffect.LAST: {f"last-backup.{step}" for step in ("dump", "seal", "store", "railway")},
    StepEffect.CLONES: {"clone.restore"},
    StepEffect.REHEARSES: {"migrate-test.migrate"},
    StepEffect.COUNTS: {"verify.after"},
    StepEffect.ACCOUNTS: {"verify.after", "verify.account", "verify.checks"},
    StepEffect.DEPLOYS: {"promote.deploy", "rollback.deploy"},
}


def effects_of(header: Mapping[str, object]) -> frozenset[str]:
    """Return the effects of a run from its header; from the procedure's name if an old version wrote the header."""
    given = header.get("effects")
    return frozenset(map(str, given if isinstance(given, list) else EFFECTS.get(str(header["procedure"]), ())))


def steps_of(header: Mapping[str, object], effect: StepEffect) -> frozenset[str]:
    """Return the steps with an effect from a run's header; from their names if an old version wrote the header."""
    given = header.get("step_effects")
    if not isinstance(given, dict):
        plan = header.get("plan")
        planned = {str(one.get("step")) for one in plan if isinstance(one, dict)} if isinstance(plan, list) else None
        return frozenset(name for name in STEP_EFFECTS[effect] if planned is None or name in planned)
    names = given.get(effect)
    return frozenset(map(str, names if isinstance(names, list) else ()))


def code_of_step(event: Mapping[str, object]) -> str:
    """Return the code of a failed or refused step; from its sentence if an old version wrote the event."""
    if "code" in event:
        return str(event["code"])
    said = str(event.get("detail", ""))
    return Code.BAD_BACKUP if any(words in said for words in _BAD_BACKUP) else Code.NONE
