"""The gate of a defang: refuse unknown names, masks that do not fit, and unclassified personal data."""

from __future__ import annotations

from ops.core.errors import Refused
from ops.core.sql_names import written, yaml
from ops.defang.patterns import Suspect
from ops.defang.rules import RULES
from ops.defang.worklist import Objection, Worklist
from ops.infra.session.session import Session
from ops.inventory.defang import Defang
from ops.inventory.locate import line_of, where

# The number of objections and of columns that a message lists; the draft contains all.
LISTED = 12


def check(session: Session, target: str, defang: Defang, found: Worklist) -> None:
    """Refuse entries that do not fit the tables, and personal data that is not classified.

    Raises:
        Refused: with file and line; for unclassified columns with a draft to paste.
    """
    entry = session.addresses.entry(target)
    if found.objections:
        first = found.objections[:LISTED]
        said = [f"{where(session.inventory, entry, 'defang', one.key, one.name)}: {_said(one)}" for one in first]
        more = len(found.objections) - LISTED
        raise Refused("\n".join([*said, *([f"and {more} more"] if more > 0 else [])]), "correct it in the inventory")
    if found.unclassified:
        raise Refused(unclassified(session, target, defang, found.unclassified), _way_out(target))


def _said(one: Objection) -> str:
    return f"`defang.{one.key}`: {one.name}: {one.why}"


def _way_out(target: str) -> str:
    return f"add it to the inventory, then   inv undo   and   inv clone-prod-to-test --target={target}"


def unclassified(session: Session, target: str, defang: Defang, found: list[Suspect]) -> str:
    """Return the message about unclassified columns that look like personal data, with the draft."""
    at = where(session.inventory, session.addresses.entry(target), "defang")
    count = f"{len(found)} column{'s look' if len(found) != 1 else ' looks'} like personal data"
    said = [f"{at}: {count}, and `defang` neither masks, clears nor keeps {'them' if len(found) != 1 else 'it'}:"]
    said += [f"  {written(one.name)}: {one.what}" for one in found[:LISTED]]
    said += [f"  and {len(found) - LISTED} more"] if len(found) > LISTED else []
    if hard := [written(one.name) for one in found if not one.mask]:
        said.append(
            f"No mask fits {', '.join(hard)}: `clear` the table, `keep` the column, or change it in an `sql` file."
        )
    said += ["Replace the `defang` by this draft, and move columns without personal data to `keep`:", ""]
    return "\n".join([*said, draft(defang, found, indent(session, target))])


def draft(defang: Defang, found: list[Suspect], margin: str = "") -> str:
    """Return the key as YAML with the suspected columns added; ``margin`` is the indentation of each line."""
    masks = dict(defang.mask) | {written(one.name): one.mask for one in found if one.mask}
    lines = ["defang:"]
    lines += _list("sql", defang.sql) if defang.sql else []
    lines += _list("rules", defang.rules) if defang.rules != tuple(RULES) else []
    lines += ["  mask:", *(f"    {yaml(name)}: {mask}" for name, mask in masks.items())] if masks else []
    lines += _list("clear", defang.clear) if defang.clear else []
    lines += _list("keep", defang.keep) if defang.keep else []
    return "\n".join(margin + line for line in lines)


def _list(key: str, words: tuple[str, ...]) -> list[str]:
    return [f"  {key}:", *(f"    - {yaml(word)}" for word in words)] if words else [f"  {key}: []"]


def indent(session: Session, target: str) -> str:
    """Return the indentation of the key in the inventory, so that a draft can be pasted there."""
    line = line_of(session.inventory, session.addresses.entry(target), "defang")
    try:
        text = session.inventory.file.read_text(encoding="utf-8-sig").splitlines()[line - 1]
    except (OSError, UnicodeError, IndexError):
        return ""
    blanks = text[: len(text) - len(text.lstrip(" "))]
    return blanks if text.strip().startswith("defang") else ""
