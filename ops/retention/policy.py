"""Which backups stay and which may go, and why. Pure.

A slot is a day, an ISO week, a month or a year in UTC that has a backup: of the last N of them the newest backup stays,
as in restic and Borg. So an outage of a month removes nothing: days without a backup take no slot. What is needed
otherwise (pinned, proved, by a certificate, a run, a kept database) stays whatever the policy says. Barman's
REDUNDANCY N is ``last: N``.
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
    """One backup, and why it stays; it may go where nothing says so."""

    manifest: Manifest
    reasons: list[str] = field(default_factory=list)

    @property
    def stays(self) -> bool:
        """Whether anything wants it."""
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
    """What becomes of each backup, oldest first.

    Args:
        manifests: all backups of a target.
        keep: the policy.
        needed: reasons beside the policy, by a backup's id.
        days: for so many days a rollback's safety backup stays.
        now: this moment.
        damaged: what is wrong with a backup's files, by its id. It takes no other one's place, and is a person's to
            look at.
    """
    known = sorted(manifests, key=lambda one: (one.taken_at, one.backup))
    found = [Decision(one, list(needed.get(one.backup, ()))) for one in known]
    # What takes no slot: it is no backup that one would choose, or a part of one.
    plain = [one for one in found if not backup_kinds.special(one.manifest)]
    plain = [one for one in plain if one.manifest.taken_at <= now and one.manifest.backup not in damaged]
    for one in found:
        if said := damaged.get(one.manifest.backup):
            one.reasons.append(f"DAMAGED, {said}: look at it, and remove it by hand")
        elif one.manifest.taken_at > now:
            one.reasons.append("it is of the future: a clock is wrong")
        elif _is_young_safety(one.manifest, now - timedelta(days=days)):
            one.reasons.append(f"safety backup of the last {days:g} days")
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
    """A delta is of use with its base only, and is the reason to keep that where somebody wants the delta."""
    known = {one.manifest.backup: one for one in found}
    for one in found:
        base = known.get(one.manifest.delta_of)
        if one.manifest.delta_of and base and one.stays and not base.stays:
            base.reasons.append(f"its delta {one.manifest.backup} stays")
    for one in found:
        base = known.get(one.manifest.delta_of)
        if base and base.stays and not one.stays:
            one.reasons.append(f"delta of {base.manifest.backup}, which stays")
