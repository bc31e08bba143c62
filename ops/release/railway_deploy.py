"""Deploy on Railway, manage Railway's own backups, and check that the target is still the planned one."""

from __future__ import annotations

from ops.core.errors import StepFailed, UsageError
from ops.engine.registry import tool
from ops.infra.railway.railway_cli import LIVE
from ops.infra.railway.volume_backups import NotInPlan, OnVolume
from ops.infra.railway.volume_cli import KINDS
from ops.infra.session.session import Session

# Seconds until a deployment must be live, and between two requests.
PATIENCE, PAUSE = 900, 15


@tool
def check_railway(session: Session, *, target: str, place: str) -> str:
    """Check that the inventory still names the project, environment and service of the plan."""
    session.railway(target).still(place)
    return f"{place} as planned"


@tool
def railway_deploy(
    session: Session, *, target: str, release: str = "", back: str = "", timeout: str = "", every: str = ""
) -> str:
    """Deploy the application, or an earlier commit (``back``), and wait until Railway reports that it is live."""
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
    """Create a Railway backup of the volume and wait until Railway lists it. Report if the plan has no backups."""
    try:
        found = OnVolume(session.railway(target)).back_up(name, float(timeout or PATIENCE), float(every or PAUSE))
    except NotInPlan as error:
        return f"{error.message}; the dump is the only backup"
    return f"Railway also has {found.name} ({found.id}), until {found.expires or 'it is removed'}"


@tool
def check_railway_backup(session: Session, *, target: str, name: str) -> str:
    """Check that Railway lists a backup of this name. Pass if the plan has no backups."""
    try:
        known = OnVolume(session.railway(target)).backups()
    except NotInPlan as error:
        return f"{error.message}; the dump is the only backup"
    if not any(one.name == name for one in known):
        raise StepFailed(f"{target}: Railway lists no backup {name}", "inv resume")
    return f"Railway lists {name}"


@tool
def railway_lock(session: Session, *, target: str, name: str) -> str:
    """Lock Railway's backup of this name, so that it does not expire."""
    try:
        found = OnVolume(session.railway(target)).lock(name)
    except NotInPlan as error:
        return f"{error.message}; the dump is the only backup"
    if found is None:
        return f"Railway has no backup {name}; the dump is the only backup"
    return f"Railway retains {name} ({found.id}) until somebody removes it"


@tool
def railway_schedule(session: Session, *, target: str, kinds: str = "") -> str:
    """Set Railway's automatic backups. Existing backups are retained.

    Args:
        kinds: of ``daily``, ``weekly`` and ``monthly``, separated by commas; empty for no automatic backups.
    """
    asked = set(filter(None, kinds.split(",")))
    wanted = tuple(kind for kind in KINDS if kind in asked)
    if unknown := asked - set(KINDS):
        raise UsageError(f"{target}: Railway has no {', '.join(sorted(unknown))} backups", "--kinds=daily,weekly")
    try:
        OnVolume(session.railway(target)).set_schedule(wanted)
    except NotInPlan as error:
        return f"{error.message}; the dump is the only backup"
    return f"Railway's automatic backups: {', '.join(wanted) or 'none'}"


@tool
def check_deployed(session: Session, *, target: str, release: str = "") -> str:
    """Check that the newest deployment is live, and has the released commit if Railway knows the commit."""
    # Railway lists a push without changes as SKIPPED, above the live deployment.
    known = [one for one in session.railway(target).deployments() if one.status != "SKIPPED"]
    if not known or known[0].status not in LIVE:
        what = f"deployment {known[0].id} is {known[0].status}" if known else "there is no deployment"
        raise StepFailed(f"{target}: {what}", "railway logs")
    if known[0].commit and release and known[0].commit != release:
        raise StepFailed(f"{target}: the live deployment has commit {known[0].commit[:12]}, not {release[:12]}")
    return f"deployment {known[0].id} is live"
