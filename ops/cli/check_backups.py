"""``inv check-backups``: one line per target, an exit code for monitoring, and notifications."""

from __future__ import annotations

import logging
from pathlib import Path

from ops.backups.freshness import Freshness, freshness
from ops.backups.notify import metrics, notify, ping
from ops.cli.console import Console
from ops.cli.options import Options, close_stores, open_session, target_of
from ops.core.errors import DONE, FAILED, UsageError
from ops.engine.journal import Event, outcome_event


def check_backups(options: Options, deep: bool, file: str) -> int:
    """Check the backups of one target, or of all production targets.

    Args:
        deep: read the whole newest backup and compare every sha256.
        file: the file for Prometheus' textfile collector; empty for none.

    Returns:
        0 if no problem was found and every notification was sent, else 4.
    """
    # The log messages of a library would contain the addresses, which are secrets.
    logging.disable(logging.CRITICAL)
    if file and not Path(file).parent.is_dir():
        said = f"--metrics={file}: the folder {Path(file).parent} does not exist"
        raise UsageError(said, "--metrics=FOLDER/generalprobe.prom")
    session, screen = open_session(options), Console(options.json)
    names = [target_of(session, options)] if options.target else list(session.inventory.production)
    close_stores(session, *names)
    found = []
    for name in names:
        with screen.waiting(f"{name}: check the backups"):
            found.append(freshness(session, name, deep=deep))
    for one in found:
        _show(screen, one)
    unheard: list[str] = []
    for one in found:
        unheard += [said for said in [ping(session, one), *notify(session, one)] if said]
    if file:
        try:
            metrics(Path(file), found)
        except OSError as error:
            unheard.append(f"{file}: {error.strerror}")
    for said in unheard:
        screen.text(said)
    bad = [one for one in found if not one.well]
    code = FAILED if bad or unheard else DONE
    if code or screen.as_json:
        screen.show(_outcome(bad, unheard, code, ", ".join(names)))
    return code


def _show(screen: Console, one: Freshness) -> None:
    if screen.as_json:
        newest, proof = one.newest, one.proved
        told = {"target": one.target, "ok": one.well, "wrong": one.wrong, "backup": newest.backup if newest else None}
        more = {"taken_at": newest.taken_at.isoformat() if newest else None, "proved": proof.data() if proof else None}
        screen.show({"event": "freshness", **told, **more})
    else:
        screen.text(one.line)


def _outcome(bad: list[Freshness], unheard: list[str], code: int, target: str) -> Event:
    reason = "; ".join([*(f"{one.target}: {'; '.join(one.wrong)}" for one in bad), *unheard])
    hint = bad[0].hint if bad else "correct the addresses that were not notified" if unheard else ""
    return outcome_event("check-backups", target, "failed" if code else "done", code, reason, hint)
