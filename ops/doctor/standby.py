"""Check production's standby, if backups are made of the standby."""

from __future__ import annotations

from ops.backups import exclusions
from ops.core.sql_names import identifier
from ops.doctor.check import Finding, Subject, check, ok, warn
from ops.infra.session.replica import GRANT, examine


@check("standby", "server", "tools")
def standby(subject: Subject) -> Finding:
    """Check the streaming replica that is dumped with `dump: {from: standby}`.

    It must answer, be a standby of production, be at most `max_lag` behind production, and have the rows of every table
    that is backed up. Warns if the role may not pause the replay, or if the replay is paused.
    """
    dump = subject.entry.dump
    if dump.from_ != "standby":
        return ok("backups dump production itself")
    out = exclusions.look(subject.session, subject.target, dump.exclude).tables if dump.exclude else {}
    found = examine(subject.session, subject.target, dump.max_lag, out)
    if not found.pauses:
        words = f"{found.said}; {found.user} may not pause its replay, so a replayed change can cancel a backup"
        return warn(words, f"{GRANT.format(identifier(found.user))} of production   (docs/how-to/rights.md)")
    if found.paused:
        return warn(found.said, "SELECT pg_wal_replay_resume()   on the standby, unless a backup runs (inv status)")
    return ok(found.said)
