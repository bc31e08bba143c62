"""Report the state of backups: a file for Prometheus, a ping to an address, notifications by apprise.

An address is a secret. No message contains it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ops.backups.freshness import Freshness
from ops.core.errors import OpsError
from ops.core.files import write_whole
from ops.infra.session.session import Session
from ops.infra.session.store_access import target_folder

SECONDS = 10
# A lasting failure is reported again after this time.
AGAIN = timedelta(days=1)
STATE = "fresh.json"

METRICS = (
    ("ok", "1 if the target's backups have no fault, else 0."),
    ("age_seconds", "Age of the newest backup."),
    ("size_bytes", "Size of the newest backup."),
    ("rows", "Rows in the newest backup."),
    ("proved_age_seconds", "Time since a backup was last restored and proved."),
    ("restore_seconds", "How long the last proved restore took."),
)


def metrics(path: Path, all_found: Iterable[Freshness]) -> None:
    """Write Prometheus' text format atomically, readable by the collector."""
    lines, known = [], [(one, _values(one)) for one in all_found]
    for name, text in METRICS:
        lines += [f"# HELP generalprobe_backup_{name} {text}", f"# TYPE generalprobe_backup_{name} gauge"]
        for one, values in known:
            if name in values:
                label = one.target.replace("\\", "\\\\").replace('"', '\\"')
                lines.append(f'generalprobe_backup_{name}{{target="{label}"}} {values[name]:.15g}')
    # Make the file readable under another name, so that no collector finds it unreadable.
    part = path.with_name(f".{path.name}.new")
    write_whole(part, "\n".join(lines) + "\n")
    part.chmod(0o644)
    part.replace(path)


def _values(one: Freshness) -> dict[str, float]:
    now = datetime.now(UTC)
    found: dict[str, float] = {"ok": float(one.well)}
    if one.newest:
        found["age_seconds"] = (now - one.newest.taken_at).total_seconds()
        found |= {"size_bytes": one.newest.whole, "rows": sum(one.newest.rows.values())}
    if one.proved:
        found |= {"proved_age_seconds": (now - one.proved.at).total_seconds(), "restore_seconds": one.proved.seconds}
    return found


def ping(session: Session, found: Freshness) -> str:
    """Request the target's ping address if its backups are well, or the address with ``/fail`` otherwise.

    Returns:
        the error; empty without an error or without a ping address.
    """
    reference = session.inventory.target(found.target).fresh.ping
    if reference is None:
        return ""
    try:
        url = session.secrets.at(found.target, reference)
        if not url.startswith(("http://", "https://")):
            return f"{found.target}: {reference} is no web address"
        with urllib.request.urlopen(url if found.well else _failing(url), timeout=SECONDS):
            return ""
    except OpsError as error:
        return error.message
    except urllib.error.HTTPError as error:
        return f"{found.target}: {reference} answered with status {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{found.target}: {reference}: {_cause(error)}"


def _cause(error: Exception) -> str:
    """Return why a web address gave no answer. What the error says may hold the address, so only parts are taken."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return f"it does not answer within {SECONDS} s"
    if isinstance(reason, socket.gaierror):
        return "its host's name is not known (DNS)"
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not accepted: {reason.verify_message.split(',')[0]}"
    if isinstance(reason, ConnectionError) or (isinstance(reason, OSError) and reason.errno):
        return f"no connection: {reason.strerror or 'it was cut'}"
    return "it is no web address, or what answers is no web server"


def _failing(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))


def notify(session: Session, found: Freshness) -> list[str]:
    """Notify each address of a failure, once a day while it lasts, and of the recovery.

    Returns:
        the errors, a sentence each; an address that was not reached is notified the next time.
    """
    path = target_folder(session, found.target) / STATE
    known, now, wrong = _state(path), datetime.now(UTC), []
    title = f"Backups of {found.target}: {'well again' if found.well else 'FAILED'}"
    text = found.line if found.well else f"{found.line}\nTry: {found.hint}"
    for reference in session.inventory.target(found.target).fresh.notify:
        told = known.get(reference)
        due = told is not None if found.well else told is None or now - told > AGAIN
        if not due:
            continue
        if said := _send(session, found.target, reference, title, text):
            wrong.append(said)
        elif found.well:
            del known[reference]
        else:
            known[reference] = now
    _keep(path, known)
    return wrong


def _send(session: Session, target: str, reference: str, title: str, text: str) -> str:
    try:
        import apprise
    except ImportError:
        return f"{target}: apprise is not installed, so nobody is notified (pip install 'generalprobe[notify]')"
    try:
        address = session.secrets.at(target, reference)
    except OpsError as error:
        return error.message
    sender = apprise.Apprise()
    if not sender.add(address):
        return f"{target}: apprise does not support the address in {reference}"
    return "" if sender.notify(title=title, body=text) else f"{target}: {reference} could not be notified"


def _state(path: Path) -> dict[str, datetime]:
    """Return the time of the last failure notification of each address without a recovery notification since."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): datetime.fromisoformat(at) for name, at in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _keep(path: Path, known: dict[str, datetime]) -> None:
    if known or path.exists():
        write_whole(path, json.dumps({name: at.isoformat() for name, at in known.items()}))
