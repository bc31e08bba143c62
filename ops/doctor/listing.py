"""``inv doctor``: a line a check for people, an object a check for programs; an outcome with an exit code for both."""

from __future__ import annotations

from collections import Counter

from ops.console import Console, ending
from ops.doctor.catalog import PRODUCTION, SHARED, TEST
from ops.doctor.check import Check, Finding, Subject, examine
from ops.doctor.may import count, some
from ops.doctor.reach import inventory
from ops.errors import DONE, FAILED, UsageError
from ops.main import Options, world_of
from ops.world import World

WORDS = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skip": "-"}
WIDTH = max(len(check.name) for check in (*PRODUCTION, *TEST))


class Report:
    """What was found so far, shown as it is found."""

    def __init__(self, screen: Console) -> None:
        self.screen, self.shown = screen, ""
        self.found: list[tuple[str, str, Finding]] = []
        self.skipped: dict[str, list[str]] = {}

    def tell(self, target: str, check: str, found: Finding) -> None:
        """Take note of a finding, and show it.

        Args:
            target: the target; empty for what concerns all.
        """
        self.found.append((target, check, found))
        if self.screen.as_json:
            event: dict[str, object] = {"event": "check", "target": target, "check": check}
            self.screen.show({**event, "status": found.status, "said": found.said, "hint": found.hint})
            return
        if target != self.shown:
            self.close()
            self.screen.text(f"\n{target}")
            self.shown = target
        if found.status == "skip":
            self.skipped.setdefault(found.said, []).append(check)
            return
        self.screen.text(f"  {WORDS[found.status]:<4}  {check:<{WIDTH}}  {found.said}")
        if found.hint:
            self.screen.text(f"{'':<{WIDTH + 10}}Try: {found.hint}")

    def close(self) -> None:
        """Show, in a line a reason, what could not be looked at of a target."""
        for said, checks in self.skipped.items():
            self.screen.text(f"  {WORDS['skip']:<4}  {said}: {', '.join(checks)}")
        self.skipped.clear()

    def named(self, status: str) -> list[str]:
        """The checks with a status, each with its target."""
        return [f"{target} {check}".strip() for target, check, found in self.found if found.status == status]

    def outcome(self, target: str) -> int:
        """Show the last line; gives the exit code."""
        self.close()
        counts: Counter[str] = Counter(found.status for _, _, found in self.found)
        failed, warned = self.named("fail"), self.named("warn")
        said = [f"{count(len(failed), 'check')} failed: {some(failed, 8)}"] if failed else []
        said += [f"{len(warned)} to look at: {some(warned, 8)}"] if warned else []
        said += [f"{counts['skip']} could not be looked at"] if counts["skip"] else []
        said += [f"{count(counts['ok'], 'check')} right"]
        first = next((found.hint for _, _, found in self.found if found.status == "fail"), "")
        code = FAILED if failed else DONE
        told = ending("doctor", target, "failed" if failed else "done", code, "; ".join(said), first)
        self.screen.show({**told, "checks": {status: counts[status] for status in WORDS}})
        return code


def show(options: Options) -> int:
    """Look at one production target with its test target, or at all of them.

    Returns:
        the exit code: 0 where nothing failed, 4 where a check did.

    Raises:
        UsageError: the inventory is wrong, or no production target of that name is in it.
    """
    world = world_of(options)
    names = [_wanted(world, options.target)] if options.target else list(world.inventory.production)
    if not names:
        world.inventory.target(None)  # It says what is missing.
    report = Report(Console(options.json))
    report.tell("", "inventory", inventory(world.inventory))
    for name in names:
        subject = Subject(world, name, name)
        found = _examined(report, PRODUCTION, subject, {})
        if subject.entry.test:
            known = {name: found[check] for name, check in SHARED.items() if found[check].status != "skip"}
            _examined(report, TEST, subject.of(subject.entry.test), known)
    return report.outcome(", ".join(names))


def _wanted(world: World, name: str) -> str:
    entry = world.inventory.target(name)
    if entry.kind != "production":
        owners = [one for one in world.inventory.production if world.inventory.target(one).test == name]
        hint = f"--target={(owners or list(world.inventory.production) or ['NAME'])[0]}   looks at it, too"
        raise UsageError(f"{name} is a test target", hint)
    return name


def _examined(
    report: Report, checks: tuple[Check, ...], subject: Subject, known: dict[str, Finding]
) -> dict[str, Finding]:
    """Run the checks of one target.

    Args:
        known: findings of the other target of the pair that some of them need.
    """
    found = dict(known)
    for check in checks:
        found[check.name] = examine(check, subject, found)
        report.tell(subject.target, check.name, found[check.name])
    return found
