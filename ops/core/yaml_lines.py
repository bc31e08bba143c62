"""Read YAML with the line of every value, and translate pydantic's errors into errors that name the line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarbool import ScalarBoolean

from ops.core.errors import Code, InventoryError

MOST_BYTES = 256 * 1024
MOST_VALUES = 10_000
DEEPEST = 40
ODD = object()
SHOWABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._\[\]-]{0,59}")


def shown(text: object) -> str:
    """Return a key or name for a message. Do not quote a text that could be a URL or a password."""
    return f"`{text}`" if isinstance(text, str) and SHOWABLE.fullmatch(text) else "(not shown)"


def nearest(word: object, known: Iterable[str]) -> str | None:
    """Return the known word that is most similar to ``word``; None if none is similar."""
    # Slightly above difflib's 0.6, at which `kind` would match `window`.
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.61) if isinstance(word, str) else []
    return matches[0] if matches else None


def meant(key: str, known: Iterable[str]) -> str:
    """Return the hint for an unknown key."""
    guess = nearest(key, known)
    return f"write `{guess}:`" if guess else f"known keys: {', '.join(known)}"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file (a dict or tuple of nodes, or a scalar), and the line (from 1) of its key or list item."""

    value: Any
    line: int
    file: str

    def wrong(self, message: str, hint: str) -> InventoryError:
        """Return an error that names this node's line."""
        return InventoryError(message, hint, file=self.file, line=self.line)

    def plain(self) -> Any:
        """Return the value without lines: dicts, tuples and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, tuple):
            return tuple(node.plain() for node in self.value)
        return self.value

    def at(self, path: Sequence[str | int]) -> Node:
        """Return the deepest node that ``path`` reaches: for a missing key, the mapping that lacks the key."""
        if path and isinstance(self.value, dict) and path[0] in self.value:
            return self.value[path[0]].at(path[1:])  # type: ignore[no-any-return]
        if path and isinstance(self.value, tuple) and isinstance(path[0], int) and path[0] < len(self.value):
            return self.value[path[0]].at(path[1:])  # type: ignore[no-any-return]
        return self

    def mapping(self, what: str, hint: str) -> dict[str, Node]:
        """Return the node as a mapping; an empty value is an empty mapping.

        Raises:
            InventoryError: the node is not a mapping.
        """
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self.wrong(f"{what} should be a mapping", hint)
        return self.value


def read(path: Path) -> Node:
    """Read a YAML file.

    Raises:
        InventoryError: the file can't be read or is not valid YAML; names file and line.
    """
    file = str(path)
    return _Builder(file).node(_parsed(file, _text(path)), 1)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        hint, code = "-i FILE after the task, or OPS_INVENTORY=FILE", Code.NO_INVENTORY
        raise InventoryError(f"cannot be read: {reason}", hint, file=str(path), code=code) from None
    if len(data) > MOST_BYTES:
        raise InventoryError(f"is larger than {MOST_BYTES} bytes", "-i FILE with an inventory", file=str(path))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InventoryError("is not UTF-8 text", "save the file as UTF-8", file=str(path), line=line) from None


def _parsed(file: str, text: str) -> object:
    try:
        return YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        key = re.match(r'found duplicate key "([^"]*)"', error.problem or "")
        name = shown(key[1]) if key else "a key"
        raise _broken(file, error, f"{name} is given twice in one mapping", "remove one of the two") from None
    except MarkedYAMLError as error:
        raise _broken(file, error, f"not YAML: {_unquoted(error.problem)}", _way_out(error.problem)) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = "not YAML: the text contains a control character"
        raise InventoryError(message, "remove the invisible character", file=file, line=line) from None
    except Exception:
        # For some invalid texts ruamel raises the errors of its scalars (ValueError for the date 2001-99-99, …).
        message = "not YAML: a value is malformed, or nested too deeply"
        raise InventoryError(message, "put quotes around dates and odd numbers", file=file) from None


def _broken(file: str, error: MarkedYAMLError, message: str, hint: str) -> InventoryError:
    mark = error.problem_mark or error.context_mark
    return InventoryError(message, hint, file=file, line=mark.line + 1 if mark else 0)


def _unquoted(problem: str | None) -> str:
    """Remove from a parser's message the quoted text of the file, which could be a password."""
    return re.sub(r"(['\"])(?!<)(?:(?!\1).){3,}\1", "…", problem or "the text ends too early")


def _way_out(problem: str | None) -> str:
    if "\\t" in (problem or ""):
        return "indent with spaces, not with tabs"
    return "check indentation, brackets and quotes on this line and on the line before"


class _Builder:
    """Converts ruamel's objects into nodes. A budget of values stops aliases that multiply or refer to themselves."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.left = MOST_VALUES

    def node(self, value: object, line: int, depth: int = 0) -> Node:
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            message = "too many values, or nested too deeply"
            raise InventoryError(message, "write aliases (*name) out", file=self.file, line=line)
        if isinstance(value, CommentedMap):
            pairs = [(key, item, _key_line(value, key, line)) for key, item in value.items()]
            return Node({self._key(k, at): self.node(item, at, depth + 1) for k, item, at in pairs}, line, self.file)
        if isinstance(value, CommentedSeq):
            items = [self.node(item, _item_line(value, i, line), depth + 1) for i, item in enumerate(value)]
            return Node(tuple(items), line, self.file)
        return Node(_scalar(value), line, self.file)

    def _key(self, key: object, line: int) -> str:
        if isinstance(key, str):
            return str(key)
        raise InventoryError("a key should be text", 'put quotes around the key: "…":', file=self.file, line=line)


def _key_line(mapping: CommentedMap, key: object, otherwise: int) -> int:
    """Return the line of a key, or ``otherwise``: a key that was merged (<<) has no position."""
    position = (mapping.lc.data or {}).get(key)
    return position[0] + 1 if position else otherwise


def _item_line(sequence: CommentedSeq, index: int, otherwise: int) -> int:
    position = (sequence.lc.data or {}).get(index)
    return position[0] + 1 if position else otherwise


def _scalar(value: object) -> object:
    """Convert ruamel's subclasses to Python's types. A date or a tagged value becomes ODD, which no field accepts."""
    if value is None or isinstance(value, (bool, ScalarBoolean)):
        return value if value is None else bool(value)
    return next((kind(value) for kind in (str, int, float) if isinstance(value, kind)), ODD)


PLAIN_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is an unknown key",
    "model_type": "should be a mapping",
    "mapping_type": "should be a mapping",
    "tuple_type": "should be a list",
    "too_short": "should not be empty",
    "string_type": "should be text",
    "string_unicode": "holds a control or invisible character",
    "string_pattern_mismatch": "is not well-formed",
}


def wording(problem: ErrorDetails) -> tuple[str, str]:
    """Translate one of pydantic's errors into what is wrong, and what to write (may be empty), without the value."""
    context = problem.get("ctx", {})
    text = context.get("text") or PLAIN_WORDS.get(problem["type"]) or problem["msg"].removeprefix("Input ")
    return text, context.get("hint", "")


def _first_value(path: Sequence[str | int], problem: ErrorDetails) -> str:
    """Return a key within a key with the first of its values. Empty if it can have any value, or is no such key."""
    expected = re.findall(r"'(\w+)'", problem.get("ctx", {}).get("expected", ""))
    is_inner = len(path) > 1 and isinstance(path[-1], str)
    if not is_inner or problem["type"] != "literal_error" or not expected:
        return ""
    return f"{path[-2]}: {{{path[-1]}: {expected[0]}}}"


def translated(
    error: ValidationError,
    name: str,
    host: Node,
    found: Mapping[str, Node],
    hint: Callable[[Sequence[str | int], str], str],
) -> InventoryError:
    """Translate the first of pydantic's errors, by line.

    Args:
        error: pydantic's error.
        name: the target.
        host: the target's node, for an error of a key that is missing.
        found: the nodes of the target's keys.
        hint: returns what to write, given the path and the type of an error.
    """
    placed = []
    for problem in error.errors(include_url=False, include_input=False):
        if problem["type"] == "default_factory_not_called":
            continue  # It follows from another error of the list.
        path = problem["loc"][1:] if problem["loc"][0] == "connection" else problem["loc"]
        placed.append((found[str(path[0])].at(path[1:]) if path[0] in found else host, path, problem))
    node, path, problem = min(placed, key=lambda place: place[0].line)
    where = ".".join(shown(part).strip("`") for part in path if isinstance(part, str) and part != "[key]")
    text, way_out = wording(problem)
    more = f" (and {len(placed) - 1} more)" if len(placed) > 1 else ""
    way_out = way_out or _first_value(path, problem) or hint(path, problem["type"])
    return node.wrong(f"{name}: `{where}` {text}{more}", way_out)
