"""Find functions of a database that may generate values that differ with each run of the migrations."""

from __future__ import annotations

from ops.application.operations import DRAWS, Application, says
from ops.infra.session.session import Session

# The functions of a database without those of extensions; the source of a native function cannot be read.
FUNCTIONS = """
SELECT p.proname::text, native, CASE WHEN NOT native THEN pg_get_functiondef(p.oid) ELSE '' END,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = p.oid AND NOT t.tgisinternal)
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang, LATERAL (SELECT l.lanname IN ('c', 'internal') AS native) n
WHERE p.prokind IN ('f', 'p') AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""


def may_draw(session: Session, target: str, known: Application) -> bool:
    """Return True if the migrations' code may generate values that differ with each run.

    The code may do so directly, by a function of the database that it names, or by a trigger's function.
    """
    if known.draws or not known.opaque:
        return known.draws
    with session.connect(target) as connection:
        found = connection.execute(FUNCTIONS).fetchall()
    drawing: set[str] = set()
    words: set[str] = set(DRAWS)
    while words:
        words = {
            name
            for name, native, text, _ in found
            if name not in drawing and (native or any(says(text, word) for word in words))
        }
        drawing |= words
    called = {name for name, _, _, triggers in found if triggers}
    return bool(drawing & called) or any(operation.says(name) for operation in known.opaque for name in drawing)
