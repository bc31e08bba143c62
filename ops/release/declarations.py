"""Compare the verdict with the application's declarations, and write the refusal of undeclared losses."""

from __future__ import annotations

import os
from pathlib import Path

from ops.application.probe import declarations, pending, probe
from ops.core.errors import UsageError
from ops.infra.session.session import Session
from ops.verdict.expect import expectations_draft
from ops.verdict.expect.expectations import Expectations, find, names, places
from ops.verdict.expect.expectations_match import Declared, declare
from ops.verdict.explain import explain
from ops.verdict.model import Verdict

SHOWN = 12


def declare_for(session: Session, target: str, judged: Verdict) -> tuple[Declared, Expectations]:
    """Compare a verdict with the application's declarations. Mark the declared losses in the verdict.

    Raises:
        InventoryError: the file of declarations is invalid.
    """
    expectations = declarations(session, target)
    if not expectations.entries:
        return declare(judged, expectations, (), ()), expectations
    names = _pending(session, target)
    known = [*probe(session, target, target)["applied"], *names]
    return declare(judged, expectations, names, known), expectations


def _pending(session: Session, target: str) -> list[str]:
    return [name for name, _ in pending(probe(session, target, target))]


def refusal(
    session: Session,
    target: str,
    declared: Declared,
    expectations: Expectations,
    *,
    right: str = "",
    write: bool = False,
) -> tuple[str, str]:
    """Return the message and hint for undeclared losses, with a draft of the declaration.

    Args:
        right: how to correct this migration, if known.
        write: add the draft to the application's file. The draft is refused until a person fills in its reasons.
    """
    message, hint = f"{target}: refused, production is untouched", ""
    against = declared.left.refused or declared.left.against
    if against:
        message, hint = explain(target, declared.left, right)
    if declared.objections:
        message += f"{chr(10) if against else ': '}not as declared: {'; '.join(declared.objections[:6])}"
        hint = f"correct {expectations.file}" + (" or the migration" if against else "")
    drafted = expectations_draft.draft(declared.left, expectations, _pending(session, target))
    then = f"   inv release --target={target}"
    if not drafted:
        return message, f"{hint}, then{then}"
    file, shown = _file(session, target)
    if write and file:
        expectations_draft.write(file, drafted)
        message += f"\nTo lose nothing instead: {hint}"
        return message, f"fill in every `why` in {shown}, commit it, and{then}"
    more = f"\n# … and {len(drafted) - SHOWN} more" if len(drafted) > SHOWN else ""
    draft = expectations_draft.text(drafted[:SHOWN]).rstrip() + more
    how = f"inv verify --target={target} --write-expectations   writes it" if file else "copy these lines"
    meant = f"Only if this loss is intended, declare it in {shown} ({how}; fill in every `why`, and commit it):"
    return f"{message}\n{meant}\n{draft}", f"{hint}, then{then}"


def _file(session: Session, target: str) -> tuple[Path | None, str]:
    """Return the application's file and its displayed name. The file is None on a host behind SSH."""
    app, host = session.inventory.target(target).app, session.host(target)
    if app is None:
        raise UsageError(f"{target} has no app", "app: {dir: ../shop, manage: [python, manage.py]}")
    if host:
        return None, f"{host.words[-1]}:{app.dir}/{names(app.manage)[-1]}"
    folder = session.inventory.path(app.dir)
    file = find(folder, app.manage) or places(folder, app.manage)[0]
    return file, os.path.relpath(file, session.inventory.folder)
