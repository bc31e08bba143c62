"""Whether the application is well, asked again and again until it is or the time is up."""

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

# How long one answer may take, in seconds, however much time there is.
PATIENCE = 10.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like any other: to a login page, it says nothing of the application's health."""

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
    """Ask a web address, or run a command, until it answers as wanted or the time is up."""
    try:
        wanted, words = int(status or 200), shlex.split(command)
        seconds, pause = float(timeout or 60), float(every or 2)
    except ValueError:
        raise UsageError(
            f"{target}: status, timeout or every is no number, or the command's quotes do not end"
        ) from None
    if bool(url) == bool(words):
        raise UsageError(f"{target}: either --url or --command", "inv tool.check-health --url=https://…")

    def ask(patience: float) -> str:
        return _answer(url, wanted, patience) if url else _exit(session, words, target, folder)

    what = url or command
    said, tries = _until(ask, seconds, max(pause, 0.05))
    if not said:
        return f"{what}: healthy" + (f", asked {tries} times" if tries > 1 else "")
    again = f"inv tool.check-health --target={target} " + (f"--url={shlex.quote(url)}" if url else "--command=…")
    raise StepFailed(
        f"{target}: {what} was not healthy within {seconds:g} s, asked {counted(tries, 'time')}; last: {said}; "
        "look at the application's log" + (f", and at its answer: curl -si {shlex.quote(url)}" if url else ""),
        f"look at the application's log;   {again}   asks again",
    )


def _until(ask: Callable[[float], str], seconds: float, pause: float) -> tuple[str, int]:
    """Ask until nothing is wrong or the time is up: what was wrong at last (empty: nothing), and how often it asked."""
    deadline, tries = time.monotonic() + seconds, 0
    while True:
        tries += 1
        left = deadline - time.monotonic()
        said = ask(min(max(left, 1.0), PATIENCE))
        if not said or time.monotonic() + pause > deadline:
            return said, tries
        time.sleep(pause)


def _answer(url: str, wanted: int, patience: float) -> str:
    """What is wrong with a web address's answer; empty where it is the wanted one."""
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
        return f"no answer: {error.reason}"
    except (OSError, HTTPException, ValueError) as error:
        return f"no answer: {str(error) or type(error).__name__}"
    if got == wanted:
        return ""
    # Its text is not repeated: the page of an error may hold rows.
    return f"status {got}, not {wanted}"


def _exit(session: Session, words: list[str], target: str, folder: str) -> str:
    """What is wrong with a command's end; empty where it exited with 0."""
    done = session.run(Shell(tuple(words), target, folder=folder, host=session.host(target)))
    if done.exit == 0:
        return ""
    said = said_error(done.err) or said_error(done.out)
    return f"exit code {done.exit}" + (f": {said}" if said else "")
