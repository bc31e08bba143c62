"""Railway's CLI: the words that call it, and what it prints. Pure.

Facts are those of its public source and documentation, release 5.43. Whatever is asked is asked by IDs, of a CLI
without a terminal. An exit code is never taken as proof: what was changed is looked at again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# No question, no update meanwhile, nothing sent home.
ENV = {"CI": "true", "RAILWAY_NO_AUTO_UPDATE": "1", "RAILWAY_NO_TELEMETRY": "1"}
# `RAILWAY_TOKEN` wins in the CLI's code; its documentation calls both an error.
TOKENS = ("RAILWAY_TOKEN", "RAILWAY_API_TOKEN")
PRIVATE = ".railway.internal"
# A deployment's ends, and what it passes through. Another word is waited for, until the time is up.
LIVE, ENDED = ("SUCCESS", "SLEEPING"), ("FAILED", "CRASHED", "REMOVED", "REMOVING", "SKIPPED", "NEEDS_APPROVAL")
UNPOOLED = {"DATABASE_URL": "DATABASE_UNPOOLED_URL", "DATABASE_PUBLIC_URL": "DATABASE_PUBLIC_UNPOOLED_URL"}


@dataclass(frozen=True)
class Place:
    """One service in one environment of one project, by their IDs. ``postgres.railway.internal`` is the same name in
    every environment, so nothing else tells them apart."""

    project: str
    environment: str
    service: str

    def __str__(self) -> str:
        """As it is kept in a plan."""
        return f"{self.project}/{self.environment}/{self.service}"

    def words(self) -> tuple[str, ...]:
        """The flags that name it; some of the CLI's commands take IDs only."""
        return ("--project", self.project, "--environment", self.environment, "--service", self.service)


class Unknown(Exception):
    """A project, environment, service or variable that is not there; the message says which there are."""


def status_words(project: str, environment: str) -> tuple[str, ...]:
    """What lists a project's environments and services with their IDs."""
    return ("railway", "status", "--project", project, "--environment", environment, "--json")


def variable_words(place: Place) -> tuple[str, ...]:
    """What lists a service's variables, rendered; all of it is secret."""
    return ("railway", "variable", "list", *place.words(), "--json")


def deployment_words(place: Place) -> tuple[str, ...]:
    """What lists a service's newest deployments."""
    return ("railway", "deployment", "list", *place.words(), "--limit", "20", "--json")


def deploy_words(place: Place, how: str) -> tuple[str, ...]:
    """What begins a deployment and does not wait for it.

    Args:
        how: ``up`` uploads the folder, ``redeploy`` takes the source that the service is connected to.
    """
    if how == "up":
        return ("railway", "up", *place.words(), "--detach", "--json", "-y")
    return ("railway", "redeploy", *place.words(), "--from-source", "--json", "-y")


def begun(said: str) -> str:
    """The ID of the deployment that a call says it began; empty where it names none."""
    try:
        found = _object(said)
    except ValueError:
        return ""
    return str(found.get("deploymentId") or found.get("id") or "")


def back_words(deployment: str) -> tuple[str, ...]:
    """What makes an earlier deployment live again; the CLI has no command of its own for it."""
    query = "mutation($id: String!) { deploymentRollback(id: $id) }"
    return ("railway", "api", query, "--var", f"id={deployment}", "--compact")


def ssh_words(place: Place) -> tuple[str, ...]:
    """What opens a shell in a service's container, but for the one word that it is to run: several are quoted by some
    releases of the CLI and not by others, one by none."""
    return ("railway", "ssh", *place.words(), "--")


def log_words(place: Place, deployment: str, build: bool) -> tuple[str, ...]:
    """What shows the end of a deployment's log: of its build, or of what ran then."""
    return ("railway", "logs", deployment, *place.words(), "--build" if build else "--deployment", "-n", "20")


def place_in(said: str, environment: str, service: str) -> Place:
    """The IDs of an environment and a service, by their names or IDs, from what ``status_words`` prints.

    Raises:
        Unknown: there is none of that name, or more than one.
        ValueError: this is no project.
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
    raise Unknown(f"{len(fit) or 'no'} {kind} named {name!r}; there are {names}")


def variables(said: str) -> dict[str, str]:
    """The variables, from what ``variable_words`` prints; sealed ones are left out by the CLI.

    Raises:
        ValueError: this is no list of variables; the message holds nothing of it.
    """
    return {str(key): str(value) for key, value in _object(said).items() if value is not None}


def unpooled(name: str, found: Mapping[str, str]) -> str:
    """The variable that leads to the server itself where the asked one leads to PgBouncer: sessions are needed."""
    direct = UNPOOLED.get(name, "")
    return direct if found.get(direct) else name


@dataclass(frozen=True)
class Deployment:
    """One deployment; ``commit`` is empty where it was uploaded."""

    id: str
    status: str
    commit: str


def deployments(said: str) -> list[Deployment]:
    """The deployments, the newest first, from what ``deployment_words`` prints.

    Raises:
        ValueError: this is no list of deployments.
    """
    found = _list(said)
    newest = sorted(found, key=lambda one: str(one.get("createdAt", "")), reverse=True)
    return [
        Deployment(str(d["id"]), str(d["status"]), str((d.get("meta") or {}).get("commitHash") or "")) for d in newest
    ]


def _list(said: str) -> list[dict[str, Any]]:
    found = json.loads(said)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("not what the CLI prints")
    return found


def _object(said: str) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        raise ValueError("not what the CLI prints") from None
    if not isinstance(found, dict):
        raise ValueError("not what the CLI prints")
    return found


# What the CLI says, what it means, and what to type.
_SAID = (
    (
        "Unauthorized. Please login",
        "no token is at hand",
        "export RAILWAY_TOKEN=… (project token) or RAILWAY_API_TOKEN=…",
    ),
    ("Unauthorized. Please run", "the login has expired", "railway login, or export RAILWAY_TOKEN=…"),
    (
        "Unauthorized. Please check",
        "the token is not allowed to do this",
        "a token of this very project and environment",
    ),
    (
        "Invalid RAILWAY",
        "the token is not valid, or has expired",
        "a new token: Railway, the project's Settings, Tokens",
    ),
    ("Not signed in", "no token is at hand", "export RAILWAY_TOKEN=… (project token) or RAILWAY_API_TOKEN=…"),
    ("RATELIMITED", "Railway's API takes no more questions for now", "the same in a few minutes"),
    ("ratelimited", "Railway's API takes no more questions for now", "the same in a few minutes"),
    ("You do not have access to this resource", "Railway's plan, or the token, does not include this", ""),
    (
        "Project not found",
        "there is no such project, or the token does not reach it",
        "railway: project: the project's ID",
    ),
    ('Environment "', "there is no such environment, or the token does not reach it", "railway: environment: its ID"),
    ('Service "', "there is no such service, or the token does not reach it", "railway: service: its ID"),
    (
        "No registered SSH keys",
        "no SSH key of this machine is registered with Railway",
        "railway ssh keys add   (with a login, or an account's token)",
    ),
    ("No SSH keys found", "there is no SSH key on this machine", "ssh-keygen -t ed25519   and   railway ssh keys add"),
    ("Permission denied (publickey", "Railway does not take the SSH keys of this machine", "railway ssh keys add"),
    (
        "Host key verification failed",
        "the key of ssh.railway.com is not known here, or is another one than was known",
        "ssh ssh.railway.com   once in a terminal, and compare it with https://docs.railway.com",
    ),
    ("Cannot prompt for confirmation", "it asks something, and there is no terminal", "railway upgrade"),
    ("Failed to fetch", "Railway's API does not answer", "https://status.railway.com, and then the same again"),
)


def meaning(said: str, exit_code: int) -> tuple[str, str]:
    """What a failed call means, and what to type.

    Args:
        said: what it printed on standard error (or, for some commands, as JSON on standard output).
    """
    if exit_code == 127:
        return "the railway CLI is not installed there", "npm install -g @railway/cli"
    text = said
    with contextlib.suppress(ValueError):
        found = _object(said)
        errors = [str(one.get("message")) for one in found.get("errors") or [] if isinstance(one, dict)]
        text = " ".join([str(found.get("code") or ""), str(found.get("error") or ""), *errors]).strip() or said
    for words, meant, hint in _SAID:
        if words in text:
            return meant, hint
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else f"exit code {exit_code}, and nothing said"), "railway status"


def both_tokens(environ: Mapping[str, str]) -> bool:
    """Whether both kinds of token are set: which one counts is not agreed."""
    return all(environ.get(name) for name in TOKENS)
