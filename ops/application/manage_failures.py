"""Explain why a call of the application's ``manage.py`` failed: the migration and the database's error."""

from __future__ import annotations

from ops.application.manage import MIGRATE, applied_migrations, cut_off, failed_migration, fails_again
from ops.core.errors import LOCK_STATES, Code, FailsAgain, OpsError, Unreachable
from ops.engine.hooks import HOOKS, Failed
from ops.infra.postgres.failure_text import Trouble, of_migration, sqlstate
from ops.infra.postgres.tls_failures import tls_trouble
from ops.infra.session.run_hooks import code_of, head_of, kind_of, said_of
from ops.infra.session.session import Session


def explain(session: Session, failed: Failed) -> OpsError:
    """Return an error with the failed migration, the migrations applied before it, and the catalogue's cause."""
    command, done, said = failed.command, failed.done, said_of(failed)
    at, whole = failed_migration(done.out), applied_migrations(done.out)
    before = f"; applied before it: {', '.join(whole)}" if whole else ""
    if trouble := tls_trouble(said):
        return Unreachable(f"{head_of(failed)}{trouble[0]} ({said}){before}", trouble[1], code=Code.TLS)
    # The run decides the next command by the migrations that were applied; the catalogue's hint is part of the message.
    migrates = not {"migrate", MIGRATE}.isdisjoint(map(str, getattr(command, "words", ())))
    known: Trouble | None = None
    if migrates:
        known = of_migration(done.err, session.role(command.target) if command.target else "")
        if code_of(failed) == Code.LOCK:
            # The run retries after a lock timeout, and another query reports who holds the lock.
            waited = LOCK_STATES.get(sqlstate(done.err), "")
            known, said = None, f"{waited}: {said}" if waited else said
    before += f"; {known.then}" if known and known.then else ""
    kind = FailsAgain if migrates and fails_again(done.err) else kind_of(failed, said)
    text = f"{known.sentence} ({said})" if known else said
    return kind(f"{head_of(failed)}{f'{at}: ' if at else ''}{text}{before}", cut_off(said), code=code_of(failed))


HOOKS.failures["manage"] = explain
