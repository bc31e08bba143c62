"""Check that a certificate has not expired and that nothing changed since the rehearsal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.core.text import listed
from ops.release.certificate import Bound, Certificate

# Names of the fields in messages.
NAMES = {
    "migrations": "the pending migrations' files",
    "commit": "the application's commit",
    "changes": "the application's uncommitted changes",
    "system": "production's server (its system identifier)",
    "database": "production's database",
    "schema_digest": "production's schema",
    "applied": "the migrations that production has",
    "backup": "the backup",
    "manifest": "the backup's manifest",
    "server": "the server's version",
    "tool": "this tool's version",
    "expectations": "the declarations (migrations.expect.yaml)",
    "checks": "the application's checks",
}
# How much the clocks of two machines may differ.
CLOCKS = timedelta(minutes=5)
DIGESTS = {"changes", "schema_digest", "manifest", "expectations"}
SHOWN = 6


def check_expiry(certificate: Certificate, moment: datetime) -> Iterator[str]:
    """Yield why a certificate does not hold at a moment: expired, or issued in the future."""
    if moment >= certificate.expires_at:
        yield f"it expired at {certificate.expires_at:%Y-%m-%d %H:%M} UTC"
    if moment < certificate.issued_at - CLOCKS:
        yield f"it was issued in the future, at {certificate.issued_at:%Y-%m-%d %H:%M} UTC: a clock is wrong"


def objections(
    certificate: Certificate, now: Bound, moment: datetime | None = None, schema: Sequence[str] = ()
) -> list[str]:
    """Return why a certificate no longer holds, one sentence for each reason, with the old and the new value.

    Args:
        schema: the differences of production's schema, if the backup recorded its parts.
    """
    said = list(check_expiry(certificate, moment or datetime.now(UTC)))
    for name, words in NAMES.items():
        was, is_now = getattr(certificate.bound, name), getattr(now, name)
        if was != is_now:
            parts = listed(schema, SHOWN) if name == "schema_digest" else ""
            said.append(f"{words} changed since the rehearsal: {parts or _difference(name, was, is_now)}")
    return said


def _difference(name: str, was: str | Sequence[object], is_now: str | Sequence[object]) -> str:
    if isinstance(was, str) and isinstance(is_now, str):
        short = 8 if name in DIGESTS else 12 if name == "commit" else 80
        return f"{_short(was, short)} → {_short(is_now, short)}"
    if name == "migrations":
        before, after = _named(was), _named(is_now)
        said = [f"{one} was edited" for one in before if one in after and before[one] != after[one]]
    else:
        before, after, said = dict.fromkeys(was), dict.fromkeys(is_now), []
    said += [f"{one} is missing" for one in before if one not in after]
    said += [f"{one} is new" for one in after if one not in before]
    return ", ".join(said) or "the order changed"


def _named(migrations: Any) -> dict[object, object]:
    return dict(migrations)


def _short(value: str, length: int) -> str:
    dirty = "-dirty" if value.endswith("-dirty") else ""
    return value.removesuffix("-dirty")[:length] + dirty or "none"
