"""Railway's CLI: the words of its commands, and the interpretation of its output. Pure.

The facts are from the CLI's public source and documentation, release 5.43. All commands use IDs and run without a
terminal. An exit code is no proof: the callers query the state after a change.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Disable questions, updates and telemetry.
ENV = {"CI": "true", "RAILWAY_NO_AUTO_UPDATE": "1", "RAILWAY_NO_TELEMETRY": "1"}
# In the CLI's code `RAILWAY_TOKEN` takes precedence; its documentation calls setting both an error.
TOKENS = ("RAILWAY_TOKEN", "RAILWAY_API_TOKEN")
PRIVATE = ".railway.internal"
# The final statuses of a deployment. Other statuses are intermediate.
LIVE, ENDED = ("SUCCESS", "SLEEPING"), ("FAILED", "CRASHED", "REMOVED", "REMOVING", "SKIPPED", "NEEDS_APPROVAL")
UNPOOLED = {"DATABASE_URL": "DATABASE_UNPOOLED_URL", "DATABASE_PUBLIC_URL": "DATABASE_PUBLIC_UNPOOLED_URL"}


@dataclass(frozen=True)
class Place:
    """One service in one environment of one project, by IDs.

    The host ``postgres.railway.internal`` has the same name in every environment, so only IDs are unique.
    """

    project: str
    environment: str
    service: str

    def __str__(self) -> str:
        """Return the form for a plan."""
        return f"{self.project}/{self.environment}/{self.service}"

    def words(self) -> tuple[str, ...]:
        """Return the flags that name the service; some commands of the CLI accept IDs only."""
        return ("--project", self.project, "--environment", self.environment, "--service", self.service)


class Unknown(Exception):
    """A project, environment, service or variable does not exist; the message lists the existing ones."""


def status_words(project: str, environment: str) -> tuple[str, ...]:
    """Return the command that lists a project's environments and services with their IDs."""
    return ("railway", "status", "--project", project, "--environment", environment, "--json")


def variable_words(place: Place) -> tuple[str, ...]:
    """Return the command that lists a service's rendered variables; its output is a secret."""
    return ("railway", "variable", "list", *place.words(), "--json")


def deployment_words(place: Place) -> tuple[str, ...]:
    """Return the command that lists a service's newest deployments."""
    return ("railway", "deployment", "list", *place.words(), "--limit", "20", "--json")


def deploy_words(place: Place, how: str) -> tuple[str, ...]:
    """Return the command that starts a deployment without waiting for it.

    Args:
        how: ``up`` uploads the folder, ``redeploy`` uses the source to which the service is connected.
    """
    if how == "up":
        return ("railway", "up", *place.words(), "--detach", "--json", "-y")
    return ("railway", "redeploy", *place.words(), "--from-source", "--json", "-y")


def begun(said: str) -> str:
    """Return the ID of the deployment in the output of a call; empty if it names none."""
    try:
        found = _object(said)
    except ValueError:
        return ""
    return str(found.get("deploymentId") or found.get("id") or "")


def back_words(deployment: str) -> tuple[str, ...]:
    """Return the command that makes an earlier deployment live again, by GraphQL: the CLI has no such command."""
    query = "mutation($id: String!) { deploymentRollback(id: $id) }"
    return ("railway", "api", query, "--var", f"id={deployment}", "--compact")


def ssh_words(place: Place) -> tuple[str, ...]:
    """Return the command that runs a shell command in a service's container, without that command.

    Append the shell command as one word: only some releases of the CLI quote several words.
    """
    return ("railway", "ssh", *place.words(), "--")


def log_words(place: Place, deployment: str, build: bool) -> tuple[str, ...]:
    """Return the command that prints the end of a deployment's log: of its build, or of its run."""
    return ("railway", "logs", deployment, *place.words(), "--build" if build else "--deployment", "-n", "20")


def place_in(said: str, environment: str, service: str) -> Place:
    """Return the IDs of an environment and a service, given by name or ID, from the output of ``status_words``.

    Raises:
        Unknown: the name does not exist, or is ambiguous.
        ValueError: the output is no project.
    """
    found = _object(said)
    ids = [_one(found, kind, name) for kind, name in (("environments", environment), ("services", service))]
    return Place(str(found["id"]), *ids)


def _one(project: Mapping[str, Any], kind: str, name: str) -> str:
    nodes = [edge["node"] for edge in project[kind]["edges"]]
    fit = [node for node in nodes if name in (node["id"], node["name"])]
    if len(fit) == 1:
        return str(fit[0]["id"])
    names = ", ".join(sorted(str(node["name"]) for node in nodes)) or "none"
    raise Unknown(f"{len(fit) or 'no'} {kind} named {name!r}; existing: {names}")


def variables(said: str) -> dict[str, str]:
    """Return the variables from the output of ``variable_words``; the CLI omits sealed variables.

    Raises:
        ValueError: the output is no list of variables; the message contains no part of the output.
    """
    return {str(key): str(value) for key, value in _object(said).items() if value is not None}


def unpooled(name: str, found: Mapping[str, str]) -> str:
    """Return the variable of the server's direct address if ``name`` is PgBouncer's, since the tool needs sessions."""
    direct = UNPOOLED.get(name, "")
    return direct if found.get(direct) else name


@dataclass(frozen=True)
class Deployment:
    """One deployment; ``commit`` is empty for an upload."""

    id: str
    status: str
    commit: str


def deployments(said: str) -> list[Deployment]:
    """Return the deployments from the output of ``deployment_words``, the newest first.

    Raises:
        ValueError: the output is no list of deployments.
    """
    found = _list(said)
    newest = sorted(found, key=lambda one: str(one.get("createdAt", "")), reverse=True)
    return [
        Deployment(str(d["id"]), str(d["status"]), str((d.get("meta") or {}).get("commitHash") or "")) for d in newest
    ]


def _list(said: str) -> list[dict[str, Any]]:
    found = json.loads(said)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("unexpected output of the CLI")
    return found


def _object(said: str) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        raise ValueError("unexpected output of the CLI") from None
    if not isinstance(found, dict):
        raise ValueError("unexpected output of the CLI")
    return found


# The CLI's message, its meaning, and what to type.
_SAID = (
    (
        "Unauthorized. Please login",
        "no token is set",
        "export RAILWAY_TOKEN=… (project token) or RAILWAY_API_TOKEN=…",
    ),
    ("Unauthorized. Please run", "the login has expired", "railway login, or export RAILWAY_TOKEN=…"),
    (
        "Unauthorized. Please check",
        "the token is not allowed to do this",
        "use a token of this project and environment",
    ),
    (
        "Invalid RAILWAY",
        "the token is not valid, or has expired",
        "create a new token: Railway, the project's Settings, Tokens",
    ),
    ("Not signed in", "no token is set", "export RAILWAY_TOKEN=… (project token) or RAILWAY_API_TOKEN=…"),
    ("RATELIMITED", "the rate limit of Railway's API is exceeded", "repeat the command in a few minutes"),
    ("ratelimited", "the rate limit of Railway's API is exceeded", "repeat the command in a few minutes"),
    ("You do not have access to this resource", "Railway's plan, or the token, does not include this", ""),
    (
        "Project not found",
        "the project does not exist, or the token has no access to it",
        "railway: project: the project's ID",
    ),
    (
        'Environment "',
        "the environment does not exist, or the token has no access to it",
        "railway: environment: the environment's ID",
    ),
    ('Service "', "the service does not exist, or the token has no access to it", "railway: service: the service's ID"),
    (
        "No registered SSH keys",
        "no SSH key of this machine is registered with Railway",
        "railway ssh keys add   (with a login, or an account's token)",
    ),
    ("No SSH keys found", "this machine has no SSH key", "ssh-keygen -t ed25519   and   railway ssh keys add"),
    ("Permission denied (publickey", "Railway rejects the SSH keys of this machine", "railway ssh keys add"),
    (
        "Host key verification failed",
        "the host key of ssh.railway.com is unknown, or has changed",
        "ssh ssh.railway.com   once in a terminal, and compare the key with https://docs.railway.com",
    ),
    ("Cannot prompt for confirmation", "the CLI asks a question, and there is no terminal", "railway upgrade"),
    ("Failed to fetch", "Railway's API does not answer", "check https://status.railway.com, then repeat the command"),
)


def meaning(said: str, exit_code: int) -> tuple[str, str]:
    """Return the meaning of a failed call, and what to type.

    Args:
        said: the standard error (for some commands JSON on standard output).
        exit_code: the exit code.
    """
    if exit_code == 127:
        return "the railway CLI is not installed", "npm install -g @railway/cli"
    text = said
    with contextlib.suppress(ValueError):
        found = _object(said)
        errors = [str(one.get("message")) for one in found.get("errors") or [] if isinstance(one, dict)]
        text = " ".join([str(found.get("code") or ""), str(found.get("error") or ""), *errors]).strip() or said
    for words, meant, hint in _SAID:
        if words in text:
            return meant, hint
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else f"exit code {exit_code} without a message"), "railway status"


def both_tokens(environ: Mapping[str, str]) -> bool:
    """Return True if both kinds of token are set, whose precedence is undefined."""
    return all(environ.get(name) for name in TOKENS)
