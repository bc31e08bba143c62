"""``inv runbooks``: render the page of every procedure from the inventory, without a connection to a server."""

from __future__ import annotations

from pathlib import Path

from ops.cli import all_actions as _all_actions  # noqa: F401  (plans name actions)
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
    """Return the text of every page for a target, by file name."""
    made = {}
    for name, procedure in PROCEDURES.items():
        c = bind(Page(session, target), procedure)
        made[f"{name}.md"] = render.page(make_plan(procedure, c), variables(c, procedure))
    # This page has no procedure: a person decides at each step what to type.
    made["recover.md"] = render.template("recover.md.j2").render(target=target)
    return made


def write_pages(options: Options, out: str, check: bool) -> int:
    """Write the pages; with ``check``, only report which pages have drifted.

    Args:
        options: the options of the command line.
        out: the folder of the pages, relative to the inventory.
        check: change nothing.

    Returns:
        5 if ``check`` found a page that has drifted, else 0.
    """
    session = open_session(options)
    folder = session.inventory.path(out)
    screen = console.Console(options.json)
    made = pages(session, target_of(session, options))
    drifted = [name for name, text in made.items() if _differs(folder / name, text)]
    drifted += sorted(path.name for path in folder.glob("*.md") if path.name not in made and path.name != "README.md")
    if check:
        for name in drifted:
            screen.text(f"{out}/{name}: differs from the definitions")
        screen.text("Try: inv runbooks" if drifted else f"{len(made)} pages match the definitions")
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
