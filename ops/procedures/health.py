"""Deploying the application, and how to see that it is well afterwards."""

from __future__ import annotations

from ops.command import Command, Query, Shell, Tool, show
from ops.inputs import Inputs
from ops.step import check


def folder_of(c: Inputs) -> str:
    """Where the application's commands run."""
    return c.app.folder if c.app else ""


def deploy_words(c: Inputs, back: bool = False) -> Command:
    """The inventory's deploy command, told which commit to deploy; or Railway's, whose status is waited for.

    Args:
        back: to an earlier release.
    """
    if c.railway_deploy:
        return Tool("railway-deploy", {"target": c.target, "release": c.release, **({"back": "yes"} if back else {})})
    return Shell(c.deploy, c.target, folder=folder_of(c), env={"RELEASE": c.release}, host=c.host)


@check("The application is healthy", "look at the application's log, then inv resume")
def is_healthy(c: Inputs) -> list[Command]:
    """A deploy command can end with 0 and leave an application that does not start."""
    on = [Tool("check-deployed", {"target": c.target, "release": c.release})] if c.railway_deploy else []
    return [*on, *_healthy(c)]


def _healthy(c: Inputs) -> list[Command]:
    if asked := c.asked_health:
        what = {"url": asked.url, "status": str(asked.status)} if asked.url else {"command": _words(asked.command)}
        where = {"folder": folder_of(c)} if asked.command else {}
        times = {"timeout": f"{asked.timeout:g}", "every": f"{asked.every:g}"}
        return [Tool("check-health", {"target": c.target, **what, **where, **times})]
    if c.health:
        return [Shell(c.health, c.target, folder=folder_of(c), host=c.host)]
    return [Query("check_frozen.sql", c.target, parameters={"wanted": "on" if c.frozen else "off"})]


def _words(words: tuple[str, ...]) -> str:
    return show(Shell(words, ""))
