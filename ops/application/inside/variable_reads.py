# mypy: ignore-errors
"""Inside the application: find where the code of pending migrations asks whether it is rehearsed."""

import ast
import importlib.util
import os
import sys

from django.conf import settings

VARIABLE = "GENERALPROBE"


def rehearsal_reads(plan):
    """Return migration, file and line of each read of the variable: in the migrations, and in modules they import.

    The settings are left out: there the variable disables what a rehearsal must not reach.
    """
    found = []
    for migration, _ in plan:
        own = type(migration).__module__
        for name in dict.fromkeys([own, *imported(syntax(file_of(own)), own.rpartition(".")[0])]):
            path = "" if name == settings.SETTINGS_MODULE else file_of(name)
            label = migration.app_label + "." + migration.name
            found += [[label, os.path.relpath(path), line] for line in reads(syntax(path, VARIABLE))]
    return found


def file_of(name):
    """Return the source file of a module of the application; empty if there is none."""
    top = name.split(".")[0]
    if top == "django" or top in getattr(sys, "stdlib_module_names", ()):
        return ""
    try:
        module = sys.modules.get(name)
        spec = module.__spec__ if module is not None else importlib.util.find_spec(name)
        return spec.origin if spec is not None and (spec.origin or "").endswith(".py") else ""
    except Exception:
        return ""


def syntax(path, word=""):
    """Return the syntax tree of a file, if the file contains a word; else None."""
    try:
        with open(path, "rb") as file:
            text = file.read()
        return ast.parse(text) if word.encode() in text else None
    except (OSError, SyntaxError, ValueError):
        return None


def reads(tree):
    """Return the lines in which a string is the variable's name."""
    every = ast.walk(tree) if tree is not None else ()
    return sorted({one.lineno for one in every if isinstance(one, ast.Constant) and one.value == VARIABLE})


def imported(tree, package):
    """Yield the names of the modules that a module imports, at its top or within a function."""
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield base
            yield from (base + "." + one.name for one in node.names)
