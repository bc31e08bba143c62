"""``inv scaffold-rename``: write the migrations that rename a model without losing rows, for a person to review.

The application's own Django computes the operations (``ops/application/inside/rename.py``); ``ops/templates`` has the
rest of the files. This command only creates new files.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from pprint import pformat
from textwrap import indent
from typing import Any

from ops.application import inside
from ops.application import manage as django
from ops.application.probe import app_only, silent
from ops.cli import console
from ops.cli.options import Options, open_session, target_of
from ops.core.errors import DONE, Refused, UsageError
from ops.core.new_files import NewFile, write_new
from ops.engine.command import quote, show
from ops.engine.journal import outcome_event
from ops.engine.render import template
from ops.infra.session.session import Session

# A migration that repoints the foreign keys of another app has the same template as the app's own.
TEMPLATE = {"point-other": "point"}


def scaffold_rename(options: Options, app: str, old: str, new: str, copy: bool) -> int:
    """Write the migrations that rename a model, or with ``options.plan`` print them.

    Args:
        options: the options of the command line.
        app: the label of the Django app.
        old: the model's current name.
        new: the model's new name.
        copy: create a new table, fill it and check it before the old table is removed.

    Raises:
        UsageError: there is no such app or model, or the new name is in use.
        Refused: a rename would break something, or a file exists already.
    """
    session = open_session(options)
    target = target_of(session, options)
    said = _ask(session, target, app, old, new, copy)
    files = _texts(said)
    screen = console.Console(options.json)
    if not options.plan:
        write_new(target, files)
    _tell(screen, session, target, said, files, options.plan)
    return DONE


def program(app: str, old: str, new: str, copy: bool) -> str:
    """Return the program for ``manage.py shell -c``: one text, since the application can't import ``ops``."""
    return f"{inside.program(inside.RENAME)}\nmain({django.MARK!r}, {app!r}, {old!r}, {new!r}, {copy!r})"


def _ask(session: Session, target: str, app: str, old: str, new: str, copy: bool) -> dict[str, Any]:
    c = app_only(session, target)
    if c.app is None:
        raise UsageError(f"{target}: has no `app` in the inventory", "app: {dir: …, manage: [python, manage.py]}")
    if c.host:
        raise UsageError(
            f"{target}: its application is on {c.host.words[-1]}, and migrations must be written to your checkout",
            "the same command with an inventory whose app: dir: is your checkout (ansible_connection: local)",
        )
    done = session.run(django.manage(c, target, "shell", "-c", program(app, old, new, copy)))
    said = django.read_probe(done.out)
    if said is None:
        raise silent(session, target, done)
    if "cannot" in said:
        raise (UsageError if said["usage"] else Refused)(f"{target}: {said['cannot']}", _hint(target, said, copy))
    return said


def _hint(target: str, said: dict[str, Any], copy: bool) -> str:
    """Return what to type, with the target; first the removal of a file that exists already."""
    hint = re.sub(r"inv scaffold-rename( [^ ]+)+", rf"\g<0> --target={target}", said["hint"])
    if not said["remove"]:
        return hint
    return f"rm {quote(os.path.relpath(said['remove']))} && {hint}{' --copy' if copy else ''}"


def _texts(said: dict[str, Any]) -> list[NewFile]:
    return [_text(said, file, number) for number, file in enumerate(said["files"], 1)]


def _text(said: dict[str, Any], file: dict[str, Any], number: int) -> NewFile:
    role = TEMPLATE.get(file["role"], file["role"])
    others = sorted({app for app, _ in file["dependencies"]} - {file["app"]})
    own_types = bool(said.get("types")) and file["role"] == "point"
    text = template(f"{role}.py.j2").render(
        app=said["app"],
        here=file["app"],
        old=said["old"],
        new=said["new"],
        old_lower=said["old"].lower(),
        new_lower=said["new"].lower(),
        step=f"{number} of {len(said['files'])}",
        imports="\n".join(file["imports"]) + "\n",
        dependencies=_dependencies(file["dependencies"]),
        operations="\n".join(file["parts"]["operations"]),
        after="\n".join(file["parts"].get("after", [])),
        others=", ".join(others),
        types=own_types,
        tables=_tables(said.get("tables", [])),
        copying=json.dumps(said.get("copying", "")),
        create=said.get("create", ""),
    )
    return NewFile(Path(file["path"]), text)


def _dependencies(pairs: list[list[str]]) -> str:
    lines = [f"        ({json.dumps(app)}, {json.dumps(name)})," for app, name in pairs]
    return "\n".join(["    dependencies = [", *lines, "    ]"])


def _tables(tables: list[dict[str, Any]]) -> str:
    """Return the list of tables as Python source, wrapped if there are many columns."""
    texts = []
    for table in tables:
        columns = pformat(table["columns"], width=100, sort_dicts=False)
        lines = [f'"{name}": {table[name]!r},' for name in ("from", "to", "key", "numbered")]
        lines.append(f'"columns": {columns},'.replace("\n", "\n" + " " * len('"columns": ')))
        texts.append("    {\n" + indent("\n".join(lines), " " * 8) + "\n    },")
    return "\n".join(["[", *texts, "]"])


def _tell(
    screen: console.Console, session: Session, target: str, said: dict[str, Any], files: list[NewFile], plan: bool
) -> None:
    """Print the files, the changes of models.py, and what to type next."""
    names = [os.path.relpath(file.path) for file in files]
    if screen.as_json:
        listed = [{"path": str(file.path), **({"text": file.text} if plan else {})} for file in files]
        screen.show(
            {"event": "scaffold", "target": target, "files": listed, "models": said["todo"], "left": said["left"]}
        )
    if plan:
        for name, file in zip(names, files, strict=True):
            screen.text(f"# {name}\n\n{file.text}")
    else:
        screen.text("\n".join([f"{target}: written", *(f"  {name}" for name in names)]))
    screen.text("\n".join(_notes(said)))
    reason = "nothing was written" if plan else "read the files before you commit them"
    stands = "nothing was changed" if plan else "the files are written; no database was changed"
    hint = _next(session, target, said, plan)
    screen.show(outcome_event("scaffold-rename", target, "done", DONE, reason, hint, stands=stands))


def _notes(said: dict[str, Any]) -> list[str]:
    first = "In the models" + ("" if said["edited"] else " (to rename a field, too, edit them before this command)")
    lines = [f"{first}:", *(f"  {line}" for line in said["todo"])] if said["todo"] else []
    old, new = said["old"].lower(), said["new"].lower()
    lines.append(f"In the code: {said['old']} becomes {said['new']}; without related_name, {old}_set becomes {new}_set")
    if said["auth"]:
        lines.append(f"Permissions: after the release, grant add_{new} and so on to the users that have add_{old}")
    if said["left"]:
        lines.append("Not part of the rename; makemigrations must write these:")
        lines += [f"  {line}" for line in said["left"]]
    if said.get("tables"):
        lines.append("Triggers, grants and comments that were added to the old table by hand are not copied")
    return lines


def _next(session: Session, target: str, said: dict[str, Any], plan: bool) -> str:
    if plan:
        return "the same command without --plan"
    words = [f"inv hazards --target={target}", f"inv release --target={target}"]
    if said["left"]:
        rest = django.manage(app_only(session, target), target, "makemigrations", said["app"])
        words.insert(0, f'(eval "$(inv environment --target={target})" && {show(rest)})')
    first = "change the models as above, then   " if said["todo"] else ""
    return first + " && ".join(words)
