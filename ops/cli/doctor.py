"""``inv doctor``: a line per check for people, an object per check for programs, and an outcome with an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ops.cli import all_actions as _all_actions  # noqa: F401  (the trial restore calls some actions)
from ops.cli.console import Console
from ops.cli.options import Options, open_session, target_of
from ops.core.errors import DONE, FAILED
from ops.core.text import counted, laid_out, listed
from ops.doctor.catalog import SHARED, checks
from ops.doctor.check import Check, Finding, Status, Subject, examine
from ops.doctor.connection import inventory
from ops.engine.journal import outcome_event

WORDS = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skip": "-"}


class Report:
    """The findings of the checks, printed one by one.

    Args:
        screen: the console that prints the findings.
        width: the length of the longest name of a check.
        everything: print the checks that passed, too.
    """

    def __init__(self, screen: Console, width: int, everything: bool = False) -> None:
        self.screen, self.width, self.everything = screen, width, everything
        self.target = ""
        self.headed: list[str] = []
        self.found: list[tuple[str, str, Finding]] = []
        self.skipped: dict[str, list[str]] = {}
        self.looking: Callable[[str], None] = lambda _: None

    def tell(self, target: str, check: str, found: Finding) -> None:
        """Record a finding, and print it.

        Args:
            target: the target; empty for a check that concerns all targets.
            check: the name of the check.
            found: the finding.
        """
        self.found.append((target, check, found))
        if self.screen.as_json:
            event: dict[str, object] = {"event": "check", "target": target, "check": check}
            self.screen.show({**event, "status": found.status, "said": found.said, "hint": found.hint})
            return
        if target != self.target:
            self.close()
            self.target = target
        if found.status == "skip":
            self.skipped.setdefault(found.said, []).append(check)
        elif found.status != "ok" or self.everything:
            self._line(found.status, f"{check:<{self.width}}  {found.said}")
            if found.hint:
                self.screen.text(laid_out(found.hint, "        Try: "))

    def _line(self, status: Status, text: str) -> None:
        if self.target and self.target not in self.headed:
            self.screen.text(f"\n{self.target}" if self.headed else self.target)
            self.headed.append(self.target)
        self.screen.prose(f"  {WORDS[status]:<4}  {text}")

    def close(self) -> None:
        """Print the skipped checks of a target, with one line for each reason."""
        for said, names in self.skipped.items():
            self._line("skip", f"{said}: {', '.join(names)}")
        self.skipped.clear()

    def named(self, status: str) -> list[str]:
        """Return the checks with a status, each with its target."""
        return [f"{target} {check}".strip() for target, check, found in self.found if found.status == status]

    def outcome(self, target: str) -> int:
        """Print the outcome; return the exit code."""
        self.close()
        counts: Counter[str] = Counter(found.status for _, _, found in self.found)
        failed, warned = self.named("fail"), self.named("warn")
        said = [f"{counted(len(failed), 'check')} failed: {listed(failed, 8)}"] if failed else []
        said += [f"{counted(len(warned), 'warning')}: {listed(warned, 8)}"] if warned else []
        said += [f"{counted(counts['skip'], 'check')} skipped"] if counts["skip"] else []
        right = counted(counts["ok"], "check")
        said = [*said, f"{right} passed"] if self.screen.as_json else said or ["no problems found"]
        first = next((found.hint for _, _, found in self.found if found.status == "fail"), "")
        code = FAILED if failed else DONE
        told = outcome_event("doctor", target, "failed" if failed else "done", code, "; ".join(said), first)
        self.screen.show({**told, "checks": {status: counts[status] for status in WORDS}})
        self.screen.text(f"{right} passed" + ("" if self.everything else "; inv doctor --all lists them"))
        return code


def show(options: Options) -> int:
    """Check one production target with its test target, or all of them.

    Returns:
        the exit code: 4 if a check failed, else 0.

    Raises:
        UsageError: the inventory is wrong, or has no production target of that name.
    """
    session = open_session(options)
    names = [target_of(session, options)] if options.target else list(session.inventory.production)
    if not names:
        session.inventory.target(None)  # Raises the error that names what is missing.
    production, test = checks("trial" if options.trial else "production"), checks("test")
    width = max(len(check.name) for check in (*production, *test))
    report = Report(Console(options.json), width, options.everything)
    report.tell("", "inventory", inventory(session.inventory))
    with report.screen.waiting("Check the targets") as report.looking:
        for name in names:
            subject = Subject(session, name, name)
            found = _examined(report, production, subject, {})
            if subject.entry.test:
                known = {name: found[check] for name, check in SHARED.items() if found[check].status != "skip"}
                _examined(report, test, subject.of(subject.entry.test), known)
    return report.outcome(", ".join(names))


def _examined(report: Report, checks: list[Check], subject: Subject, known: dict[str, Finding]) -> dict[str, Finding]:
    """Run the checks of one target.

    Args:
        report: records the findings.
        checks: the checks, in order.
        subject: the target.
        known: findings of the production target that checks of the test target depend on.
    """
    found = dict(known)
    for check in checks:
        report.looking(f"{subject.target} {check.name}")
        found[check.name] = examine(check, subject, found)
        report.tell(subject.target, check.name, found[check.name])
    return found
