"""Query the state of production after a failed promotion, and offer what to type next."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ops.application.probe import applied, probe
from ops.core.errors import OpsError, Unreachable
from ops.engine.command import Query
from ops.engine.effects import StepEffect
from ops.engine.journal import State
from ops.infra.postgres.client import json_lines, unreached
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder
from ops.release import certificate
from ops.release.concurrent_indexes import only_indexes, statements

Prove = Callable[[], OpsError | None]


class Data(StrEnum):
    """Name how much of a release production has."""

    AS_BEFORE = "as before"
    PART_UNKNOWN = "a part may be applied"
    PARTLY = "partly migrated"
    MIGRATED = "migrated"
    RESTORED = "restored"


class Way(StrEnum):
    """Name how ``--auto-rollback`` reverses a failed release."""

    UNDO = "undo"
    ROLLBACK = "rollback"
    NONE = "none"


@dataclass(frozen=True)
class Production:
    """Hold the state of production.

    Args:
        frozen: a new session is read-only.
        sealed: production has been frozen since before the run's last backup, so the backup has every row.
        restored: the comment of the database that took production's name since the freeze, or empty.
        done, left: the release's applied and pending migrations, in order.
        part: the pending migration that may be partly applied because it is not one transaction, or empty.
        known: the application could be queried. If not, ``part`` is the first pending migration.
        indexes: the pending migration that may be partly applied but only builds and drops indexes, or empty.
        proved: every row, every sequence and the schema are as before the migrations. None if not compared.
    """

    frozen: bool
    sealed: bool = False
    restored: str = ""
    done: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    part: str = ""
    known: bool = True
    indexes: str = ""
    proved: bool | None = None

    @property
    def data(self) -> Data:
        """Return how much of the release production has."""
        if self.restored:
            return Data.RESTORED
        if self.done:
            return Data.PARTLY if self.left else Data.MIGRATED
        sure = not self.part if self.proved is None else self.proved
        return Data.AS_BEFORE if sure else Data.PART_UNKNOWN


@dataclass(frozen=True)
class Run:
    """Hold the failed promotion.

    Args:
        freezes: its plan freezes production.
        backup: the backup that a rollback restores.
        begun: its migrations were started.
        ending: it started to unfreeze production.
        deploying: it started to deploy the application, so every row and the application's own checks held.
    """

    run: str
    target: str
    backup: str
    freezes: bool
    begun: bool = True
    ending: bool = False
    deploying: bool = False

    @classmethod
    def of(cls, state: State, backup: str, *, freezes: bool) -> Run:
        """Create it from the run's journal."""
        effects = (StepEffect.MIGRATES, StepEffect.UNFREEZES, StepEffect.DEPLOYS)
        return cls(state.run, state.target, backup, freezes, *map(state.began, effects))


def applied_of(session: Session, target: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the applied and the pending ones of a certificate's migrations, in order."""
    pending = [migration for migration, _ in certificate.read(target_folder(session, target), name).bound.migrations]
    have = set(applied(session, target))
    return tuple(m for m in pending if m in have), tuple(m for m in pending if m not in have)


def in_parts(session: Session, target: str, database_of: str) -> str:
    """Return the first pending migration if it is not one transaction, so may be partly applied; else empty."""
    left = probe(session, target, database_of)["pending"]
    return str(left[0]["name"]) if left and not left[0]["atomic"] else ""


def look(session: Session, run: Run, name: str, note: Path, prove: Prove | None = None) -> Production:
    """Query the state of production.

    Args:
        run: the failed promotion.
        name: its certificate.
        note: the file that it wrote when it froze production.
        prove: compares production with its state right before the migrations. Called only if no migration is recorded.
            None: do not compare.

    Raises:
        OpsError: production does not answer.
    """
    session.forget()
    now, then = server(session, run.target), _noted(note)
    frozen = now["read_only"] == "on"
    restored = str(now["comment"]) or "another database" if then and then["database"] != now["database"] else ""
    sealed = frozen and bool(then) and now == then
    if not run.begun:
        return Production(frozen, sealed, restored)
    have, left = applied_of(session, run.target, name)
    part, indexes, asked = _part(session, run.target, left) if left else ("", "", True)
    proved = None if have or prove is None else prove() is None
    return Production(frozen, sealed, restored, have, left, part, asked, indexes, proved)


def server(session: Session, target: str) -> dict[str, Any]:
    """Return the result of ``production.sql``: the database with production's name, and whether it is frozen.

    Raises:
        Unreachable: the server does not answer.
    """
    done = session.run(Query("production.sql", target))
    if done.exit:
        how, _, code = unreached(done.err)
        raise Unreachable(f"{target}: the database {how}", "inv status", code=code)
    return dict(json_lines(done.out)[0])


def _part(session: Session, target: str, left: tuple[str, ...]) -> tuple[str, str, bool]:
    """Return the fields ``part``, ``indexes`` and ``known`` of ``Production`` for the first pending migration."""
    try:
        name = in_parts(session, target, target)
        texts = dict(statements(probe(session, target, target))).get(name, []) if name else []
    except OpsError:
        return left[0], "", False
    return ("", name, True) if only_indexes(texts) else (name, "", True)


def _noted(path: Path) -> dict[str, Any]:
    """Return the state that the run recorded when it froze production, or an empty dictionary."""
    try:
        found = json.loads(path.read_bytes().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def way(found: Production, run: Run, *, backed_up: bool) -> tuple[Way, str]:
    """Decide how ``--auto-rollback`` reverses a release. Return the reason if it does not.

    Args:
        backed_up: the last backup of this run is complete.
    """
    if found.data is Data.RESTORED:
        return Way.NONE, f"another database now has production's name: {found.restored}"
    if run.ending:
        return Way.NONE, "production may take writes again, so rows could be lost"
    if found.data is Data.AS_BEFORE:
        return Way.UNDO, ""
    if found.sealed and backed_up:
        return Way.ROLLBACK, ""
    if run.freezes and not found.frozen:
        return Way.NONE, "production takes writes, so rows could be lost"
    return Way.NONE, "production was not frozen continuously since before its last backup, so rows could be lost"


def offers(found: Production, run: Run) -> list[tuple[str, str]]:
    """List the commands that a person may type and what they do, the safest first."""
    go_on = f"inv resume --run={run.run} --target={run.target}"
    undo = f"inv undo --run={run.run} --target={run.target}"
    back = f"inv rollback --target={run.target} --backup={run.backup}"
    # Resume is refused if the plan has a freeze and production is not frozen, or if a part would be applied twice.
    resumes = (not run.freezes or found.frozen or run.ending) and not (found.part and not found.proved)
    if found.data is Data.RESTORED:
        return [(f"inv status --target={run.target}", "shows which run swapped the database")]
    if found.data is Data.AS_BEFORE:
        writes = " and unfreezes production" if found.frozen else ""
        tries = "repeats the step and continues the release"
        tries += ", after it drops the unfinished indexes" if found.indexes else ""
        return [*([(go_on, tries)] if resumes else []), (undo, f"ends the release{writes}")]
    before = "restores production as it was before the migrations"
    if found.data is Data.PART_UNKNOWN:
        proof = "works only if production is proved to be as before"
        return [(back, f"{before}; {_set_aside(found, run)}"), (undo, proof)]
    more = [(go_on, "continues; first correct what failed")] if resumes else []
    ways = [(back, f"{before}; {_set_aside(found, run)}"), *more]
    # A failure after every row was accounted for is no reason for a rollback.
    return ways[::-1] if found.data is Data.MIGRATED and (run.deploying or run.ending) else ways


def _set_aside(found: Production, run: Run) -> str:
    if found.sealed:
        return "production has been frozen since before that backup, so the backup has every row"
    why = "production was not frozen continuously" if run.freezes else "production was not frozen"
    return f"it first shows the rows written since that backup, which then remain only in a kept database: {why}"


def told(found: Production) -> str:
    """Return one sentence that states how much of the release production has."""
    count = len(found.left)
    if found.data is Data.RESTORED:
        return f"another database took production's name after this run froze production ({found.restored})"
    if found.data is Data.PART_UNKNOWN:
        asked = "it is not one transaction" if found.known else "the application could not be queried"
        what = (
            f"a part of {found.part} may be applied: {asked}"
            if found.part
            else "production is not proved to be unchanged"
        )
        return f"no migration of this release is recorded on production ({count} pending), but {what}"
    if found.data is Data.AS_BEFORE:
        why = f"{found.indexes} only builds and drops indexes" if found.indexes else ""
        why = why or "the migration that did not finish ran in one transaction, which was rolled back"
        why = "production is proved to be unchanged" if found.proved else why
        return f"no migration of this release is applied on production ({count} pending), and {why}"
    if found.left:
        part = f"; a part of {found.part} may be applied" if found.part else ""
        which = f"applied: {', '.join(found.done)}; not applied: {', '.join(found.left)}"
        return f"production is partly migrated ({which}){part}"
    count = len(found.done)
    return f"{f'all {count} migrations are' if count > 1 else 'the migration is'} applied on production"
