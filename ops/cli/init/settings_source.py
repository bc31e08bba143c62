"""Find in the source of a settings module the environment variables that may contain the database's address."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.cli.init.manage_file import read_text
from ops.inventory.fields import ENV_NAME

USUAL = "DATABASE_URL"
# Calls that parse an address: dj-database-url, django-environ, environs, django-configurations.
_PARSERS = re.compile(r"(^|\.)(dj_database_url\.(config|parse)|db|db_url|dj_db_url|DatabaseURLValue)$")
# The arguments of such a call that name the variable.
_NAMES = ("env", "environ_name")
_ADDRESS = re.compile(r"(DATABASE|DB|POSTGRES|PG|SQL).*(URL|URI|DSN)|^(URL|DSN)_?(DATABASE|DB)")


@dataclass(frozen=True)
class Source:
    """The variables in the source.

    ``parsed`` is the variable that a call parses as an address; empty if there is no such call. ``candidates`` are all
    variables that may contain an address, the most likely first. ``classes`` are the classes of
    django-configurations, one of which has the settings; empty if the module itself has them.
    """

    parsed: str
    candidates: tuple[str, ...]
    classes: tuple[str, ...] = ()


def read_source(folder: Path, module: str) -> Source:
    """Read a settings module and the modules of the project that it imports.

    Args:
        folder: the folder of ``manage.py``.
        module: the dotted name of the module.
    """
    trees = list(_trees(folder, module, set()))
    parsed = [name for tree in trees for name in _parsed(tree)]
    read = [name for tree in trees for name in _variables(tree) if _ADDRESS.search(name)]
    classes = _configurations(trees)
    return Source(parsed[0] if parsed else "", tuple(dict.fromkeys([*parsed, *read, USUAL])), classes)


def _configurations(trees: Sequence[ast.Module]) -> tuple[str, ...]:
    """Return the classes that django-configurations takes for settings: a module's own ones, else those it imports."""
    known, found = {"Configuration"}, list[str]()
    # What a module imports is read first, since its own classes are made of that.
    for tree in reversed(trees):
        own = []
        for node in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
            if known & {ast.unparse(base).rpartition(".")[2] for base in node.bases}:
                known.add(node.name)
                own.append(node.name)
        found = own if own and tree is trees[0] else found + own
    return tuple(found)


def _trees(folder: Path, module: str, seen: set[Path]) -> Iterator[ast.Module]:
    """Parse a module's file, then the files of the project that the module imports."""
    file = next((path for path in _files(folder, module) if path.is_file()), None)
    if file is None or file in seen:
        return
    seen.add(file)
    try:
        tree = ast.parse(read_text(file))
    except (SyntaxError, ValueError):
        return
    yield tree
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for name in (base, *(f"{base}.{alias.name}" for alias in node.names)):
                yield from _trees(folder, name, seen)


def _files(folder: Path, module: str) -> tuple[Path, Path]:
    path = folder.joinpath(*module.split("."))
    return path.with_suffix(".py"), path / "__init__.py"


def _parsed(tree: ast.AST) -> Iterator[str]:
    """Yield the variables that a call parses as an address."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _PARSERS.search(ast.unparse(node.func)):
            yield next(_variables(node, whole=True), USUAL)


def _variables(tree: ast.AST, *, whole: bool = False) -> Iterator[str]:
    """Yield the constants in lookups that look like names of environment variables.

    Args:
        tree: the source.
        whole: also read the argument ``env`` of calls.
    """
    for node in ast.walk(tree):
        found: list[ast.expr] = []
        if isinstance(node, ast.Subscript):
            found = [node.slice]
        elif isinstance(node, ast.Call):
            found = [*node.args[:1], *(given.value for given in node.keywords if whole and given.arg in _NAMES)]
        names = [one.value for one in found if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        yield from (name for name in names if name.isupper() and re.fullmatch(ENV_NAME, name))
