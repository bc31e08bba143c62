"""Check the application's health until it is healthy or the time is up."""

from __future__ import annotations

import shlex
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException

from ops.core.errors import StepFailed, UsageError
from ops.core.text import counted
from ops.engine.command import Shell
from ops.engine.registry import tool
from ops.infra.postgres.client import said_error
from ops.infra.session.session import Session

# Seconds that one answer may take.
PATIENCE = 10.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Report a redirect as its status: a redirect to a login page does not show that the application is healthy."""

    def redirect_request(self, *_: object) -> None:
        return None


@tool
def check_health(
    session: Session,
    *,
    target: str,
    url: str = "",
    command: str = "",
    folder: str = "",
    status: str = "",
    timeout: str = "",
    every: str = "",
) -> str:
    """Request a web address, or run a command, until it succeeds or the time is up."""
    try:
        wanted, words = int(status or 200), shlex.split(command)
        seconds, pause = float(timeout or 60), float(every or 2)
    except ValueError:
        raise UsageError(
            f"{target}: status, timeout or every is not a number, or the command has an unclosed quote"
        ) from None
    if bool(url) == bool(words):
        raise UsageError(f"{target}: give either --url or --command", "inv tool.check-health --url=https://…")

    def ask(patience: float) -> str:
        return _answer(url, wanted, patience) if url else _exit(session, words, target, folder)

    what = url or command
    said, tries = _until(ask, seconds, max(pause, 0.05))
    if not said:
        return f"{what}: healthy" + (f" after {tries} requests" if tries > 1 else "")
    again = f"inv tool.check-health --target={target} " + (f"--url={shlex.quote(url)}" if url else "--command=…")
    raise StepFailed(
        f"{target}: {what} was not healthy within {seconds:g} s ({counted(tries, 'request')}); last: {said}; "
        "read the application's log" + (f" and the response: curl -si {shlex.quote(url)}" if url else ""),
        f"read the application's log;   {again}   checks again",
    )


def _until(ask: Callable[[float], str], seconds: float, pause: float) -> tuple[str, int]:
    """Call ``ask`` until it returns no error or the time is up. Return the last error, and the number of calls."""
    deadline, tries = time.monotonic() + seconds, 0
    while True:
        tries += 1
        left = deadline - time.monotonic()
        said = ask(min(max(left, 1.0), PATIENCE))
        if not said or time.monotonic() + pause > deadline:
            return said, tries
        time.sleep(pause)


def _answer(url: str, wanted: int, patience: float) -> str:
    """Return what is wrong with the response of a web address, or an empty string."""
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "generalprobe"})
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=patience) as answer:
            got = answer.status
    except urllib.error.HTTPError as error:
        with error:
            got = error.code
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not accepted: {error.reason.verify_message}"
        return f"no response: {error.reason}"
    except (OSError, HTTPException, ValueError) as error:
        return f"no response: {str(error) or type(error).__name__}"
    if got == wanted:
        return ""
    # The body is not repeated: an error page may contain rows.
    return f"status {got}, not {wanted}"


def _exit(session: Session, words: list[str], target: str, folder: str) -> str:
    """Return what is wrong with a command, or an empty string if it exits with 0."""
    done = session.run(Shell(tuple(words), target, folder=folder, host=session.host(target)))
    if done.exit == 0:
        return ""
    said = said_error(done.err) or said_error(done.out)
    return f"exit code {done.exit}" + (f": {said}" if said else "")
