"""Define how the application is deployed, and how its health is checked afterwards."""

from __future__ import annotations

from ops.engine.command import Command, Query, Shell, Tool, show
from ops.engine.effects import StepEffect
from ops.engine.inputs import RunInputs
from ops.engine.step import Time, check


def folder_of(c: RunInputs) -> str:
    """Return the folder in which the application's commands run."""
    return c.app.folder if c.app else ""


def deploy_words(c: RunInputs, back: bool = False) -> Command:
    """Return the inventory's deploy command with the commit to deploy, or Railway's deploy, which waits for its status.

    Args:
        back: deploy an earlier release.
    """
    if c.deploy.railway:
        return Tool(
            "railway-deploy", {"target": c.target, "release": c.deploy.commit, **({"back": "yes"} if back else {})}
        )
    return Shell(
        c.deploy.command, c.target, folder=folder_of(c), env={"RELEASE": c.deploy.commit}, host=c.host, failure="manage"
    )


@check("The application is healthy", "look at the application's log, then inv resume")
def is_healthy(c: RunInputs) -> list[Command]:
    """Detect an application that does not start although the deploy command exited with 0."""
    on = [Tool("check-deployed", {"target": c.target, "release": c.deploy.commit})] if c.deploy.railway else []
    return [*on, *_healthy(c)]


def _healthy(c: RunInputs) -> list[Command]:
    health = c.health
    if health and health.command and not health.timeout:
        return [Shell(health.command, c.target, folder=folder_of(c), host=c.host, failure="manage")]
    if health:
        what = {"url": health.url, "status": str(health.status)} if health.url else {"command": _words(health.command)}
        where = {"folder": folder_of(c)} if health.command else {}
        times = {"timeout": f"{health.timeout:g}", "every": f"{health.every:g}"}
        return [Tool("check-health", {"target": c.target, **what, **where, **times})]
    return [Query("check_frozen.sql", c.target, parameters={"wanted": "on" if c.read_only else "off"})]


def _words(words: tuple[str, ...]) -> str:
    return show(Shell(words, ""))


# Of a step that deploys, whichever release.
DEPLOYS = {"takes": Time.APPLICATION, "does": (StepEffect.DEPLOYS,), "proof": is_healthy, "again": True}
