"""The runbooks: every procedure's page, rendered from the inventory without looking at any server."""

from __future__ import annotations

from pathlib import Path

from ops.cli import all_actions as _all_actions  # noqa: F401  (a plan names some)
from ops.cli import console
from ops.cli.options import Options, open_session, target_of
from ops.core.errors import DIFFERS, DONE
from ops.core.files import write_whole
from ops.engine import render
from ops.engine.plan import make_plan
from ops.infra.session.session import Session
from ops.procedures.catalog import PROCEDURES
from ops.procedures.planning.bind import bind
from ops.procedures.planning.page_inputs import Page, variables


def pages(session: Session, target: str) -> dict[str, str]:
    """File name to text of every page for a target."""
    made = {}
    for name, procedure in PROCEDURES.items():
        c = bind(Page(session, target), procedure)
        made[f"{name}.md"] = render.page(make_plan(procedure, c), variables(c, procedure))
    # No procedure: it stops where a person decides, so it says what to type and does not run.
    made["recover.md"] = render.template("recover.md.j2").render(target=target)
    return made


def write_pages(options: Options, out: str, check: bool) -> int:
    """Write the pages, or say which have drifted."""
    session = open_session(options)
    folder = session.inventory.path(out)
    screen = console.Console(options.json)
    made = pages(session, target_of(session, options))
    drifted = [name for name, text in made.items() if _differs(folder / name, text)]
    drifted += sorted(path.name for path in folder.glob("*.md") if path.name not in made and path.name != "README.md")
    if check:
        for name in drifted:
            screen.text(f"{out}/{name}: not what the definitions say")
        screen.text("Try: inv runbooks" if drifted else f"{len(made)} pages are what the definitions say")
        if options.json:
            screen.show({"event": "runbooks", "drifted": drifted})
        return DIFFERS if drifted else DONE
    for name in drifted:
        if name in made:
            write_whole(folder / name, made[name])
            (folder / name).chmod(0o644)
    screen.text(f"{len(made)} pages in {out}/, {len(drifted)} written")
    return DONE


def _differs(path: Path, text: str) -> bool:
    return not path.is_file() or path.read_text() != text
