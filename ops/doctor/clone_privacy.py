"""The check that clones contain no readable personal data."""

from __future__ import annotations

from ops.core.errors import OpsError
from ops.core.sql_names import written
from ops.core.text import listed
from ops.defang.patterns import suspects
from ops.defang.request import catalog_of, read_request
from ops.defang.worklist import make_worklist
from ops.doctor.check import Finding, Subject, check, ok, warn
from ops.inventory.locate import where


@check("copies", "server", "tools", "reading")
def copies(subject: Subject) -> Finding:
    """Check that clones are defanged, and that `defang` matches the existing tables. Otherwise it warns.

    Without `defang`, users of the test database can read personal data and may contact real people.
    """
    session, target = subject.session, subject.target
    if subject.entry.test is None:
        return ok("no test target, so no clones")
    catalog = catalog_of(session, target)
    if subject.entry.defang is None:
        names = [written(one.name) for one in suspects(catalog)]
        if not names:
            return ok("no column looks like personal data")
        said = f"clones contain readable personal data: {listed(names)}"
        hint = "write `defang: {}` at the target (docs/how-to/mask-clones.md); the next clone lists what to add"
        return warn(said, hint)
    try:
        request = read_request(session, target)
    except OpsError as error:
        return warn(error.message, error.hint)
    found = make_worklist(request.defang, catalog) if request else None
    again = f"inv clone-prod-to-test --target={target}   to get details and a draft"
    if found and found.objections:
        one = found.objections[0]
        at = where(session.inventory, session.addresses.entry(target), "defang", one.key, one.name)
        more = f" and {len(found.objections) - 1} more" if len(found.objections) > 1 else ""
        return warn(f"{at}: {one.name}: {one.why}{more}", "correct this line of the inventory")
    if found and found.unclassified:
        names = [written(one.name) for one in found.unclassified]
        return warn(f"`defang` neither masks, clears nor keeps {listed(names)}", again)
    return ok(f"defanged: {len(found.emptied)} tables emptied, {len(found.masked)} columns masked" if found else "")
