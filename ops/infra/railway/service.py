"""Query one target's services on Railway through the CLI: IDs, variables, deployments.

The CLI runs on the target's host. Variables are used only for the database's address.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from functools import cached_property

from ops.core.errors import Refused, StepFailed, Unreachable, UsageError
from ops.engine.command import Completed
from ops.infra.postgres.client import parts_of
from ops.infra.railway import railway_cli
from ops.infra.railway.railway_cli import Deployment, Place, Unknown
from ops.inventory.targets import Railway, Target

Run = Callable[[tuple[str, ...], str], Completed]
NAMED = ("RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", "RAILWAY_SERVICE_ID", "RAILWAY_DEPLOYMENT_ID")
LOCAL = ("localhost", "127.0.0.1", "::1")
# Seconds until a requested deployment must be on the list.
APPEARS = 60.0


def environ(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a call of the CLI, without the variables of a surrounding Railway container."""
    return {name: value for name, value in given.items() if name not in NAMED} | railway_cli.ENV


class CallFailed(Unreachable):
    """A call of the CLI failed; ``said`` is its complete output."""

    def __init__(self, message: str, hint: str, said: str) -> None:
        super().__init__(message, hint)
        self.said = said


class OnRailway:
    """The Railway access of one target.

    Args:
        target: the target's entry in the inventory.
        where: file and line, for messages.
        run: runs words in a folder (the application's; empty for the inventory's) on the target's host.
        both: True if both kinds of token are set on this machine.
    """

    def __init__(self, target: Target, where: str, run: Run, both: bool = False) -> None:
        if target.railway is None:
            raise UsageError(f"{where}: `railway` is missing", "railway: {project: ID, environment: production}")
        self.target, self.where, self._run = target, where, run
        self.named: Railway = target.railway
        self.both = both

    def ask(self, words: tuple[str, ...], folder: str = "") -> str:
        """Return the output of a call of the CLI.

        Raises:
            CallFailed: the call failed; the message has the meaning.
            UsageError: both kinds of token are set.
        """
        if self.both:
            raise UsageError(
                f"{self.where}: both {' and '.join(railway_cli.TOKENS)} are set, and their precedence is undefined",
                f"unset {railway_cli.TOKENS[1]}   or   unset {railway_cli.TOKENS[0]}",
            )
        done = self._run(words, folder)
        if done.exit:
            # `api` prints the errors in the answer's body, and only their number to standard error.
            said = done.out if done.out.strip().startswith("{") else done.err or done.out
            meant, hint = railway_cli.meaning(said, done.exit)
            call = " ".join(words[: 2 if words[1] == "api" else 3])
            raise CallFailed(f"{self.target.name}: {call}: {meant}", hint, done.out + done.err)
        return done.out

    @cached_property
    def version(self) -> tuple[int, ...]:
        """The CLI's version."""
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", self.ask(("railway", "--version")))
        return tuple(map(int, found.groups())) if found else (0, 0, 0)

    @cached_property
    def status(self) -> str:
        """The CLI's output about the project, with all IDs."""
        return self.ask(railway_cli.status_words(self.named.project, self.named.environment))

    def place(self, service: str) -> Place:
        """Return the IDs of one of the project's services.

        Raises:
            UsageError: the service or the environment does not exist.
        """
        try:
            return railway_cli.place_in(self.status, self.named.environment, service)
        except Unknown as error:
            raise UsageError(f"{self.where}: {error}", "correct `railway:` or `database:` in the inventory") from None
        except (ValueError, KeyError, TypeError):
            raise self.strange("status") from None

    @cached_property
    def app(self) -> Place:
        """The application's service; the database's service if none is named."""
        return self.place(self.named.service or self.target.database.value.split("/")[0])

    @cached_property
    def database(self) -> Place:
        """The database's service; the service of ``railway: service`` if the address is not from Railway."""
        reference = self.target.database
        named = reference.value.split("/")[0] if reference.kind == "railway" else self.named.service
        return self.place(named or "Postgres")

    def still(self, planned: str) -> None:
        """Compare the application's service with the service for which a run was planned.

        Raises:
            Refused: they differ.
        """
        if str(self.app) != planned:
            raise Refused(
                f"{self.target.name}: leads to {self.app} on Railway, but the run was planned for {planned}; "
                "nothing was changed",
                "revert the inventory, or start a new run",
            )

    def url(self, here: bool) -> str:
        """Return the address in ``railway:SERVICE/VARIABLE``; the address is a secret.

        Args:
            here: the commands run on this machine, which is not in Railway's private network.

        Raises:
            UsageError: the variable does not exist, or its host cannot be reached.
        """
        service, _, name = self.target.database.value.partition("/")
        said = self.ask(railway_cli.variable_words(self.place(service)))
        try:
            found = railway_cli.variables(said)
        except ValueError:
            raise self.strange("variable list") from None
        if name not in found:
            like = ", ".join(sorted(one for one in found if one.endswith("URL"))) or "no URL"
            raise UsageError(f"{self.where}: {service} has no variable {name}; existing: {like}", "database: railway:…")
        value = found[railway_cli.unpooled(name, found)]
        host = _host(value)
        if not host:
            raise UsageError(
                f"{self.where}: {name} of {service} names no host, so it would lead to a database on this machine",
                "give the service a TCP proxy (Railway: the service's Settings, Networking)",
            )
        if here and host.endswith(railway_cli.PRIVATE):
            raise UsageError(
                f"{self.where}: {name} leads to {host}, which only Railway's containers can reach",
                f"database: railway:{service}/DATABASE_PUBLIC_URL   (the service needs a TCP proxy)",
            )
        if host not in LOCAL and not host.endswith(railway_cli.PRIVATE) and "sslmode=" not in value:
            # The certificate is self-signed for `localhost`, so no stricter mode than `require` works.
            value += ("&" if "?" in value else "?") + "sslmode=require"
        return value

    def deployments(self) -> list[Deployment]:
        """Return the application's deployments, the newest first."""
        try:
            return railway_cli.deployments(self.ask(railway_cli.deployment_words(self.app)))
        except (ValueError, KeyError, TypeError):
            raise self.strange("deployment list") from None

    def deploy(self, how: str, folder: str, patience: float, pause: float) -> Deployment:
        """Deploy, and wait until the deployment is live.

        Args:
            how: see ``railway_cli.deploy_words``.
            folder: the folder in which the CLI runs.
            patience: the timeout in seconds.
            pause: the seconds between two queries.

        Raises:
            StepFailed: the deployment failed, or was not live in time.
        """
        return self._deployed(railway_cli.deploy_words(self.app, how), folder, patience, pause)

    def go_back(self, commit: str, patience: float, pause: float) -> Deployment | None:
        """Make the newest deployment of an earlier commit live again; return None if the commit is already live.

        Raises:
            StepFailed: the commit has no deployment on the list, or the deployment was not live in time.
        """
        known = self.deployments()
        live = next((one for one in known if one.status in railway_cli.LIVE), None)
        if live and live.commit == commit:
            return None
        fit = [one for one in known if one.commit == commit and one.status in (*railway_cli.LIVE, "REMOVED")]
        if not fit:
            raise StepFailed(
                f"{self.target.name}: none of Railway's last {len(known)} deployments is of commit {commit[:12]}",
                "deploy that commit (git checkout, railway up), then   inv resume",
            )
        return self._deployed(railway_cli.back_words(fit[0].id), "", patience, pause)

    def _deployed(self, words: tuple[str, ...], folder: str, patience: float, pause: float) -> Deployment:
        before = {one.id for one in self.deployments()}
        failed: Unreachable | None = None
        named = ""
        try:
            named = railway_cli.begun(self.ask(words, folder))
        except Unreachable as error:
            failed = error
        deadline, started = time.monotonic() + patience, time.monotonic()
        new: Deployment | None = None
        while True:
            # A failed query does not stop the deployment.
            with contextlib.suppress(Unreachable):
                # A push at the same time starts another deployment.
                fit = [one for one in self.deployments() if one.id not in before and named in ("", one.id)]
                new = fit[0] if fit else None
            if new and new.status in railway_cli.LIVE:
                return new
            if new and new.status in railway_cli.ENDED:
                why = self._superseded(new) or self._log(new)
                raise StepFailed(f"{self.target.name}: deployment {new.id} is {new.status}{why}")
            if new is None and (failed or time.monotonic() - started > min(APPEARS, patience)):
                why = failed.message if failed else f"{self.target.name}: {' '.join(words[:2])} reported success"
                raise StepFailed(f"{why}; no deployment was started", failed.hint if failed else "railway status")
            if time.monotonic() > deadline:
                what = f"deployment {new.id} is still {new.status}" if new else "no deployment was started"
                hint = "railway logs, then   inv resume"
                raise StepFailed(f"{self.target.name}: after {patience:g} s {what}", hint)
            time.sleep(pause)

    def strange(self, what: str) -> Unreachable:
        """Return the error for unexpected output of the CLI."""
        return Unreachable(f"{self.target.name}: railway {what}: unexpected output of the CLI", "railway upgrade")

    def _superseded(self, ours: Deployment) -> str:
        """Return a text that names the deployment that replaced ours; empty if none did."""
        known = self.deployments() if ours.status in ("REMOVED", "REMOVING") else []
        live = next((one for one in known if one.status in railway_cli.LIVE), None)
        return f"; {live.id}, of commit {live.commit[:12] or 'unknown'}, replaced it" if live else ""

    def _log(self, deployment: Deployment) -> str:
        words = railway_cli.log_words(self.app, deployment.id, build=deployment.status == "FAILED")
        try:
            lines = self.ask(words).strip().splitlines()
        except Unreachable as error:
            return f" (its log: {error.message})"
        return "; its log ends: " + " / ".join(lines[-3:]) if lines else ""


def _host(value: str) -> str:
    try:
        return parts_of(value).get("host", "")
    except ValueError:
        return ""
