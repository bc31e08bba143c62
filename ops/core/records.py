"""Write lists of dataclass objects as JSON, and read them again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ops.core.errors import StepFailed

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)


def dump_records(records: Iterable[DataclassInstance]) -> str:
    """Write objects as text, for a file."""
    return json.dumps([asdict(one) for one in records], indent=1, ensure_ascii=False)


def read_records(path: Path, kind: type[T], what: str, *, optional: bool = False) -> list[T]:
    """Read a file that ``dump_records`` wrote.

    Args:
        path: the file.
        kind: the class of the objects.
        what: the objects, for the error.
        optional: a missing file has no objects.

    Raises:
        StepFailed: the file is damaged, or it is missing and not optional.
    """
    try:
        return [kind(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        if optional:
            return []
    except (OSError, ValueError, TypeError):
        pass
    wrong = "damaged" if optional else "missing or damaged"
    raise StepFailed(f"{path}: the list of {what} is {wrong}", "inv undo")
