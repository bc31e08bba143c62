"""What is done with Railway itself: whether the target is still the one planned for, and its deployments."""

from __future__ import annotations

from ops.core.errors import StepFailed, UsageError
from ops.engine.registry import tool
from ops.infra.railway.railway_cli import LIVE
from ops.infra.railway.volume_backups import NotInPlan, OnVolume
from ops.infra.railway.volume_cli import KINDS
from ops.infra.session.session import Session

# Seconds: until a deployment has to be live, and between two looks.
PATIENCE, PAUSE = 900, 15


@tool
def check_railway(session: Session, *, target: str, place: str) -> str:
    """Say whether the inventory still leads to the project, environment and service that a run was planned for."""
    session.railway(target).still(place)
    return f"{place} as planned"


@tool
def railway_deploy(
    session: Session, *, target: str, release: str = "", back: str = "", timeout: str = "", every: str = ""
) -> str:
    """Deploy the application, or (``back``) an earlier commit of it, and wait until Railway says that it is live."""
    patience, pause = float(timeout or PATIENCE), float(every or PAUSE)
    on, entry = session.railway(target), session.inventory.target(target)
    if back:
        found = on.go_back(release, patience, pause)
        if found is None:
            return f"commit {release[:12]} is live already"
    else:
        how = entry.railway.deploy if entry.railway else None
        found = on.deploy(how or "redeploy", entry.app.dir if entry.app else "", patience, pause)
    return f"deployment {found.id} is live" + (f", of commit {found.commit[:12]}" if found.commit else "")


@tool
def railway_backup(session: Session, *, target: str, name: str, timeout: str = "", every: str = "") -> str:
    """Ask Railway for a backup of its own, and wait until it lists it; say so where the plan has none."""
    try:
        found = OnVolume(session.railway(target)).back_up(name, float(timeout or PATIENCE), float(every or PAUSE))
    except NotInPlan as error:
        return f"{error.message}; the dump stands alone"
    return f"Railway has {found.name} ({found.id}) as well, until {found.expires or 'it is removed'}"


@tool
def check_railway_backup(session: Session, *, target: str, name: str) -> str:
    """Say whether Railway lists a backup of this name; where the plan has none, nothing is missing."""
    try:
        known = OnVolume(session.railway(target)).backups()
    except NotInPlan as error:
        return f"{error.message}; the dump stands alone"
    if not any(one.name == name for one in known):
        raise StepFailed(f"{target}: Railway lists no backup {name}", "inv resume")
    return f"Railway lists {name}"


@tool
def railway_lock(session: Session, *, target: str, name: str) -> str:
    """Keep Railway's own backup of this name for good."""
    try:
        found = OnVolume(session.railway(target)).lock(name)
    except NotInPlan as error:
        return f"{error.message}; the dump stands alone"
    if found is None:
        return f"Railway has no backup {name}; the dump stands alone"
    return f"Railway keeps {name} ({found.id}) until somebody removes it"


@tool
def railway_schedule(session: Session, *, target: str, kinds: str = "") -> str:
    """Make Railway's automatic backups these; none of them where it is empty. Backups that are there stay.

    Args:
        kinds: of ``daily``, ``weekly`` and ``monthly``, with commas between.
    """
    asked = set(filter(None, kinds.split(",")))
    wanted = tuple(kind for kind in KINDS if kind in asked)
    if unknown := asked - set(KINDS):
        raise UsageError(f"{target}: Railway knows no {', '.join(sorted(unknown))} backup", "--kinds=daily,weekly")
    try:
        OnVolume(session.railway(target)).set_schedule(wanted)
    except NotInPlan as error:
        return f"{error.message}; the dump stands alone"
    return f"Railway's automatic backups: {', '.join(wanted) or 'none'}"


@tool
def check_deployed(session: Session, *, target: str, release: str = "") -> str:
    """Say whether the newest deployment is live, and of the wanted commit where Railway knows it."""
    # A push that Railway had nothing to do for stands on top of what is live.
    known = [one for one in session.railway(target).deployments() if one.status != "SKIPPED"]
    if not known or known[0].status not in LIVE:
        what = f"deployment {known[0].id} is {known[0].status}" if known else "there is no deployment"
        raise StepFailed(f"{target}: {what}", "railway logs")
    if known[0].commit and release and known[0].commit != release:
        raise StepFailed(f"{target}: what is live is of commit {known[0].commit[:12]}, not of {release[:12]}")
    return f"deployment {known[0].id} is live"
