"""What stands in the way of a defang: names that are not there, masks that do not fit, what nobody classified."""

from __future__ import annotations

from ops.core.errors import Refused
from ops.core.sql_names import written, yaml
from ops.defang.patterns import Suspect
from ops.defang.rules import RULES
from ops.defang.worklist import Objection, Worklist
from ops.infra.session.session import Session
from ops.inventory.defang import Defang
from ops.inventory.locate import line_of, where

# So many of each are listed in words; the draft has all.
LISTED = 12


def check(session: Session, target: str, defang: Defang, found: Worklist) -> None:
    """Refuse what does not fit, or is not classified.

    Raises:
        Refused: with file and line, and with a draft to paste where something is not classified.
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
    return f"put it into the inventory, then   inv undo   and   inv clone-prod-to-test --target={target}"


def unclassified(session: Session, target: str, defang: Defang, found: list[Suspect]) -> str:
    """What looks like personal data and is not classified, with the draft."""
    at = where(session.inventory, session.addresses.entry(target), "defang")
    count = f"{len(found)} column{'s look' if len(found) != 1 else ' looks'} like personal data"
    said = [f"{at}: {count}, and `defang` does not say what becomes of {'them' if len(found) != 1 else 'it'}:"]
    said += [f"  {written(one.name)}: {one.what}" for one in found[:LISTED]]
    said += [f"  and {len(found) - LISTED} more"] if len(found) > LISTED else []
    if hard := [written(one.name) for one in found if not one.mask]:
        said.append(
            f"No mask fits {', '.join(hard)}: `clear` the table, `keep` the column, or change it in a file of `sql`."
        )
    said += ["In the place of that `defang`, with masks that may suit (`keep` what is nobody's):", ""]
    return "\n".join([*said, draft(defang, found, indent(session, target))])


def draft(defang: Defang, found: list[Suspect], margin: str = "") -> str:
    """The key as YAML, with what was found added to it; ``margin`` stands before each line."""
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
    """The blanks before the key where it stands in the inventory, so that a draft can be pasted there."""
    line = line_of(session.inventory, session.addresses.entry(target), "defang")
    try:
        text = session.inventory.file.read_text(encoding="utf-8-sig").splitlines()[line - 1]
    except (OSError, UnicodeError, IndexError):
        return ""
    blanks = text[: len(text) - len(text.lstrip(" "))]
    return blanks if text.strip().startswith("defang") else ""
