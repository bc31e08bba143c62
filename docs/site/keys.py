"""Render the reference of the inventory's keys from the fields of the models and the strings below the fields."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tables import code, prose, table

from ops.inventory.targets import ANSIBLE, EXAMPLES, KEYS, NESTED, PRODUCTION_ONLY, Connection, Target

ALWAYS = "`default`, below `all: vars:`, names the production target that is used if `--target` is omitted."


def keys() -> str:
    """Render every key of a target, then the keys within each key that contains a mapping."""
    texts = texts_of(Target)
    rows = []
    for key in KEYS:
        of = "production" if key in PRODUCTION_ONLY else "any"
        rows.append((_linked(key), prose(texts[key]), of, _default(Target.model_fields[key]), code(EXAMPLES[key])))
    parts = ["## Keys of a target", ALWAYS, table(("key", "means", "target", "default", "example"), rows).strip()]
    parts += ["## Keys of the connection", _inner(Connection, {name: key for key, name in ANSIBLE.items()})]
    for key, model in NESTED.items():
        parts += [f"## `{key}`", prose(inspect.getdoc(model) or ""), _inner(model, {})]
    return "\n\n".join(parts)


def texts_of(model: type[BaseModel]) -> dict[str, str]:
    """Return the string below each field of a model.

    Raises:
        LookupError: a field has no string below it.
    """
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {
        field.target.id: text.value.value
        for field, text in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
    if missing := set(model.model_fields) - set(found) - {"name", "kind", "line", "connection"}:
        raise LookupError(f"{model.__name__}: no text below {', '.join(sorted(missing))}")
    return found


def _inner(model: type[BaseModel], names: dict[str, str]) -> str:
    texts, rows = texts_of(model), []
    for name, field in model.model_fields.items():
        if name in texts:
            key = names.get(name) or field.alias or name
            rows.append((code(key), prose(texts[name]), _choices(field.annotation), _default(field)))
    return table(("key", "means", "values", "default"), rows).strip()


def _linked(key: str) -> str:
    return f"[`{key}`](#{key})" if key in NESTED else code(key)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or isinstance(value, BaseModel) or field.default_factory:
        return ""
    return code(_written(value))


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _choices(annotation: Any) -> str:
    """Render the values of the first Literal within an annotation; empty if there is none."""
    if get_origin(annotation) is Literal:
        return ", ".join(code(str(word)) for word in get_args(annotation))
    found = (_choices(one) for one in get_args(annotation) if not isinstance(one, str))
    return next(filter(None, found), "")
