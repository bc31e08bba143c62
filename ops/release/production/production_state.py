"""What production is right now, as its server says it, and what is offered then. No list of steps shows that."""

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
    """What production holds of a release."""

    AS_BEFORE = "as before"
    PART_UNKNOWN = "a part may be applied"
    PARTLY = "partly migrated"
    MIGRATED = "migrated"
    RESTORED = "restored"


class Way(StrEnum):
    """How a release that failed is taken back by itself."""

    UNDO = "undo"
    ROLLBACK = "rollback"
    NONE = "none"


@dataclass(frozen=True)
class Production:
    """What production is right now.

    Args:
        frozen: a new session is read-only.
        sealed: it has been frozen without a break since before the run's last backup, so that backup holds all that
            anybody wrote.
        restored: another database has its name since the run froze it; the comment of that one, or empty.
        done, left: the release's migrations that it has, and those that it lacks, in their order.
        part: the migration that is left and may be applied in part, since it is not one transaction; empty where none.
        known: whether the application could be asked that; where not, the first that is left is ``part``.
        indexes: the same where it only builds and drops indexes, so that what it left is removed and built again.
        proved: every row, sequence and the schema are what they were right before the migrations; None where that was
            not asked.
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
        """What it holds of the release."""
        if self.restored:
            return Data.RESTORED
        if self.done:
            return Data.PARTLY if self.left else Data.MIGRATED
        sure = not self.part if self.proved is None else self.proved
        return Data.AS_BEFORE if sure else Data.PART_UNKNOWN


@dataclass(frozen=True)
class Run:
    """What is asked about: the promotion that did not end well.

    Args:
        freezes: its plan freezes production.
        backup: what a rollback brings back.
        begun: its migrations were begun.
        ending: it has begun to let production take writes again.
    """

    run: str
    target: str
    backup: str
    freezes: bool
    begun: bool = True
    ending: bool = False

    @classmethod
    def of(cls, state: State, backup: str, *, freezes: bool) -> Run:
        """The same, by its journal."""
        begun, ending = state.began(StepEffect.MIGRATES), state.began(StepEffect.UNFREEZES)
        return cls(state.run, state.target, backup, freezes, begun, ending)


def applied_of(session: Session, target: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of a certificate's migrations production has, and which are left, in their order."""
    pending = [migration for migration, _ in certificate.read(target_folder(session, target), name).bound.migrations]
    have = set(applied(session, target))
    return tuple(m for m in pending if m in have), tuple(m for m in pending if m not in have)


def in_parts(session: Session, target: str, database_of: str) -> str:
    """The first migration that is left, where it is not one transaction: a part of it may be done. Empty otherwise."""
    left = probe(session, target, database_of)["pending"]
    return str(left[0]["name"]) if left and not left[0]["atomic"] else ""


def look(session: Session, run: Run, name: str, note: Path, prove: Prove | None = None) -> Production:
    """Ask production's server what it is.

    Args:
        run: the promotion that is asked about.
        name: its certificate.
        note: what it noted when it had frozen production.
        prove: compares production with what it was right before the migrations; asked only where no migration is
            recorded. None where it is not to be compared: then nothing is proved.

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
    """What ``production.sql`` says: the database that has the name, and what freezes it.

    Raises:
        Unreachable: it does not answer.
    """
    done = session.run(Query("production.sql", target))
    if done.exit:
        how, _, code = unreached(done.err)
        raise Unreachable(f"{target}: the database {how}", "inv status", code=code)
    return dict(json_lines(done.out)[0])


def _part(session: Session, target: str, left: tuple[str, ...]) -> tuple[str, str, bool]:
    """The first of these where it is not one transaction, or where the application can't be asked; as the second one
    where it only builds and drops indexes; and whether the application could be asked."""
    try:
        name = in_parts(session, target, target)
        texts = dict(statements(probe(session, target, target))).get(name, []) if name else []
    except OpsError:
        return left[0], "", False
    return ("", name, True) if only_indexes(texts) else (name, "", True)


def _noted(path: Path) -> dict[str, Any]:
    """What production was when the run had frozen it; empty where that was not noted."""
    try:
        found = json.loads(path.read_bytes().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return {}
    return found if isinstance(found, dict) else {}


def way(found: Production, run: Run, *, backed_up: bool) -> tuple[Way, str]:
    """Decide how ``--auto-rollback`` takes a release back, and say why not where it does not.

    Args:
        backed_up: the last backup of this run is complete.
    """
    if found.data is Data.RESTORED:
        return Way.NONE, f"another database has its name since: {found.restored}"
    if run.ending:
        return Way.NONE, "production may take writes again, so rows could be lost"
    if found.data is Data.AS_BEFORE:
        return Way.UNDO, ""
    if found.sealed and backed_up:
        return Way.ROLLBACK, ""
    if run.freezes and not found.frozen:
        return Way.NONE, "production takes writes, so rows could be lost"
    return Way.NONE, "production was not frozen without a break since before its last backup, so rows could be lost"


def offers(found: Production, run: Run) -> list[tuple[str, str]]:
    """List what a person may type, the safest first, each with what it does."""
    go_on = f"inv resume --run={run.run} --target={run.target}"
    undo = f"inv undo --run={run.run} --target={run.target}"
    back = f"inv rollback --target={run.target} --backup={run.backup}"
    # Resume is refused where production was to be frozen until the end, and is not; or a part would be done twice.
    resumes = (not run.freezes or found.frozen or run.ending) and not (found.part and not found.proved)
    if found.data is Data.RESTORED:
        return [(f"inv status --target={run.target}", "says which run has exchanged it")]
    if found.data is Data.AS_BEFORE:
        writes = " and lets production take writes again" if found.frozen else ""
        tries = "tries again" + (", and first removes what was left of its indexes" if found.indexes else "")
        return [*([(go_on, tries)] if resumes else []), (undo, f"takes the release back{writes}")]
    before = "brings back what was before the migrations"
    if found.data is Data.PART_UNKNOWN:
        proof = "only where production is proved to be as before"
        return [(back, f"{before}; {_set_aside(found, run)}"), (undo, proof)]
    more = [(go_on, "goes on; where something failed, mend that first")] if resumes else []
    return [(back, f"{before}; {_set_aside(found, run)}"), *more]


def _set_aside(found: Production, run: Run) -> str:
    if found.sealed:
        return "production has been frozen without a break since before that backup, so it holds all that was written"
    why = "production was not frozen all the time" if run.freezes else "nothing was frozen"
    return f"it first shows what was written since that backup, which is kept aside, but not live: {why}"


def told(found: Production) -> str:
    """What production has of the release, in one sentence."""
    count = len(found.left)
    if found.data is Data.RESTORED:
        return f"another database has production's name since this run froze it ({found.restored})"
    if found.data is Data.PART_UNKNOWN:
        asked = "it is not one transaction" if found.known else "the application could not be asked about it"
        what = (
            f"a part of {found.part} may be applied: {asked}"
            if found.part
            else "production is not proved to be what it was before"
        )
        return f"no migration of this release is recorded on production ({count} left), but {what}"
    if found.data is Data.AS_BEFORE:
        why = f"{found.indexes} only builds and drops indexes" if found.indexes else "what failed was one transaction"
        why = "production is proved to be what it was before" if found.proved else why
        return f"no migration of this release is applied on production ({count} left), and {why}"
    if found.left:
        part = f"; a part of {found.part} may be applied" if found.part else ""
        which = f"applied are {', '.join(found.done)}; not applied are {', '.join(found.left)}"
        return f"production is migrated half-way: {which}{part}"
    count = len(found.done)
    return f"{f'all {count} migrations are' if count > 1 else 'the migration is'} applied on production"
