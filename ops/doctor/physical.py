"""Whether pgBackRest can be driven from here, and there is room to prove what it makes."""

from __future__ import annotations

from ops.doctor.check import Finding, Subject, ok
from ops.engine.aside import Aside
from ops.engine.stanza import OnStanza
from ops.tools.physical import live_server


def pgbackrest(subject: Subject) -> Finding:
    """Whether the stanza is well and of this server, and a backup can be restored aside: a backup that can't be is not
    proved, and not the way back."""
    entry = subject.entry
    if entry.pgbackrest is None:
        return ok("not used")
    on = OnStanza(subject.world, subject.target)
    found = on.must_be_well(str(subject.identity["system"]))
    on.programs(str(int(subject.identity["number"]) // 10000))
    live, size = live_server(subject.world, subject.target)
    room = Aside(on).check(max([size, *(one.size for one in found.backups[-1:])]), live)
    newest = f"the newest backup is {found.backups[-1].label}" if found.backups else "no backup yet"
    return ok(f"stanza {found.name}: {newest}; {room}")
