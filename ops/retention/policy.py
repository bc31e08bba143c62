"""Decide which backups are retained and which may be removed, and why. Pure.

A slot is a day, an ISO week, a month or a year in UTC that has a backup. The newest backup of each of the last N slots
is retained, as in restic and Borg. Days without a backup are no slots, so that an outage of a month removes nothing.
Backups that are needed for another reason (a pin, a proof, a certificate, a run, a kept database) are retained whatever
the policy. Barman's REDUNDANCY N is ``last: N``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from ops.infra.stores import backup_kinds
from ops.infra.stores.manifest import Manifest
from ops.inventory.fields import Keep


@dataclass
class Decision:
    """A backup, and the reasons to retain it. Without a reason it may be removed."""

    manifest: Manifest
    reasons: list[str] = field(default_factory=list)

    @property
    def stays(self) -> bool:
        """True if there is a reason to retain the backup."""
        return bool(self.reasons)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _week(at: datetime) -> str:
    year, week, _ = at.isocalendar()
    return f"{year}-W{week:02}"


SLOTS: Mapping[str, Callable[[datetime], str]] = {
    "daily": _day,
    "weekly": _week,
    "monthly": lambda at: f"{at:%Y-%m}",
    "yearly": lambda at: f"{at:%Y}",
}


def decide(
    manifests: Iterable[Manifest],
    keep: Keep,
    needed: Mapping[str, Sequence[str]],
    days: float,
    now: datetime,
    damaged: Mapping[str, str] = MappingProxyType({}),
) -> list[Decision]:
    """Decide about each backup, oldest first.

    Args:
        manifests: all backups of a target.
        keep: the policy.
        needed: reasons beside the policy, by the backup's id.
        days: the days for which a rollback's safety backup is retained.
        now: the current time.
        damaged: what is wrong with a backup's files, by its id. A damaged backup takes no slot, and is not removed: a
            person must examine it.
    """
    known = sorted(manifests, key=lambda one: (one.taken_at, one.backup))
    found = [Decision(one, list(needed.get(one.backup, ()))) for one in known]
    # Safety backups, deltas and other special backups take no slot.
    plain = [one for one in found if not backup_kinds.special(one.manifest)]
    plain = [one for one in plain if one.manifest.taken_at <= now and one.manifest.backup not in damaged]
    for one in found:
        if said := damaged.get(one.manifest.backup):
            one.reasons.append(f"DAMAGED, {said}: examine it, and remove it by hand")
        elif one.manifest.taken_at > now:
            one.reasons.append("its time is in the future: a clock is wrong")
        elif _is_young_safety(one.manifest, now - timedelta(days=days)):
            one.reasons.append(f"safety backup, younger than {days:g} days")
    _slots(plain, keep)
    for one in plain[-1:]:
        one.reasons.append("the newest")
    missing = keep.least - sum(one.stays for one in plain)
    for one in [one for one in reversed(plain) if not one.stays][: max(missing, 0)]:
        one.reasons.append(f"fewer than {keep.least} would be left")
    _with_deltas(found)
    return found


def _is_young_safety(manifest: Manifest, since: datetime) -> bool:
    return backup_kinds.special(manifest) == backup_kinds.SAFETY and manifest.taken_at > since


def _slots(plain: Sequence[Decision], keep: Keep) -> None:
    for number, one in enumerate(reversed(plain)):
        if number < keep.last:
            one.reasons.append(f"one of the last {keep.last}")
    for name, slot in SLOTS.items():
        newest: dict[str, Decision] = {}
        for one in plain:
            newest[slot(one.manifest.taken_at.astimezone(UTC))] = one
        wanted = getattr(keep, name)
        for key in sorted(newest, reverse=True)[:wanted]:
            newest[key].reasons.append(f"{name} for {key}")


def _with_deltas(found: Sequence[Decision]) -> None:
    """Retain a delta's base with the delta, and a delta with its base: a delta is useless without its base."""
    known = {one.manifest.backup: one for one in found}
    for one in found:
        base = known.get(one.manifest.delta_of)
        if one.manifest.delta_of and base and one.stays and not base.stays:
            base.reasons.append(f"its delta {one.manifest.backup} is retained")
    for one in found:
        base = known.get(one.manifest.delta_of)
        if base and base.stays and not one.stays:
            one.reasons.append(f"delta of {base.manifest.backup}, which is retained")
