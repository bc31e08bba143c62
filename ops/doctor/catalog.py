"""All checks, in the order in which they are looked at."""

from __future__ import annotations

from ops.doctor import application, copies, kept, may, physical, reach, sealed
from ops.doctor.check import Check, Look


def _check(name: str, look: Look, *after: str) -> Check:
    """As with a step, why it is there is the function's own docstring."""
    return Check(name, " ".join((look.__doc__ or "").split()), look, after)


# Of the way to a database; for production and for its test target.
_REACH = (
    _check("host", reach.host),
    _check("railway", reach.railway, "host"),
    _check("address", reach.address, "host", "railway"),
    _check("server", reach.server, "address"),
    _check("pooler", reach.pooler, "server"),
    _check("clock", reach.clock, "server"),
)

PRODUCTION = (
    *_REACH,
    _check("tools", reach.tools),
    _check("tools-fit", reach.fitting, "server", "tools"),
    _check("reading", may.reading, "server", "tools"),
    _check("changing", may.changing, "server", "tools"),
    _check("sessions", may.sessions, "server", "tools"),
    _check("writes", kept.writes, "server", "tools"),
    _check("store", kept.store),
    _check("dump", kept.dump, "server", "tools"),
    _check("space", kept.space, "server", "tools", "store", "dump"),
    _check("backups", kept.backups, "store"),
    _check("encryption", sealed.encryption, "store"),
    _check("pgbackrest", physical.pgbackrest, "server", "tools"),
    _check("same-server", kept.same_server, "server", "tools", "store"),
    _check("leftovers", kept.leftovers, "server", "tools"),
    _check("run", kept.run, "store"),
    _check("schedule", kept.schedule, "store"),
    _check("copies", copies.copies, "server", "tools", "reading"),
    _check("programs", application.programs, "address"),
    _check("app", application.starts, "server", "pooler", "tools"),
    _check("migrations", application.migrations, "app"),
    _check("declarations", application.declared, "host"),
    _check("commit", application.commit, "address"),
    _check("window", application.window),
)

# What the checks of a test target need of production's.
SHARED = {"tools": "tools", "production's server": "server"}
TEST = (
    *_REACH,
    _check("other", may.other, "server", "tools", "production's server"),
    _check("cloning", may.making, "server", "tools"),
    _check("extensions", may.extensions, "server", "tools", "production's server"),
    _check("leftovers", kept.leftovers, "server", "tools"),
)
