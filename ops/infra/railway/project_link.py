"""Find the Railway project to which a folder is linked, in the configuration of Railway's CLI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLES = ("RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", "RAILWAY_SERVICE_ID")


@dataclass(frozen=True)
class ProjectLink:
    """A project, an environment and the application's service, as names or IDs; ``service`` is empty if unknown."""

    project: str
    environment: str
    service: str = ""


def find_link(folder: Path, environ: Mapping[str, str]) -> ProjectLink | None:
    """Return the project to which a folder or one of its parents is linked; None if there is none.

    The CLI's file also contains a login token. The function reads only the links.
    """
    project, environment, service = (environ.get(name, "") for name in VARIABLES)
    if project and environment:
        return ProjectLink(project, environment, service)
    file = Path(environ.get("HOME") or "~").expanduser() / ".railway/config.json"
    try:
        links = json.loads(file.read_text(encoding="utf-8"))["projects"]
        found = next(links[str(path)] for path in (folder, *folder.parents) if str(path) in links)
        named = found.get("environmentName") or found["environment"]
        return ProjectLink(str(found["project"]), str(named), str(found.get("service") or ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return None


def names_in(said: str) -> tuple[list[str], list[str]]:
    """Return the names of a project's services and environments from the output of ``status_words``."""
    try:
        found = json.loads(said)
        kinds = ([str(edge["node"]["name"]) for edge in found[kind]["edges"]] for kind in ("services", "environments"))
        services, environments = kinds
        return services, environments
    except (ValueError, KeyError, TypeError):
        return [], []
