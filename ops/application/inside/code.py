# mypy: ignore-errors
"""Inside the application: find the code that an operation runs."""

import ast
import functools
import importlib
import importlib.util
import inspect
import sys
import textwrap

from django.db import migrations, models

from ops.application.inside.change import model_of
from ops.application.inside.comments import without_comments
from ops.application.inside.state import text_of


def code_of(operation):
    """Return the code of an operation as text: a function with all functions that it calls, or SQL."""
    if isinstance(operation, migrations.RunPython):
        return "\n\n".join(sources(operation.code))
    if isinstance(operation, migrations.RunSQL):
        return sql_text(operation.sql)
    try:
        return "\n\n".join([*sources(type(operation)), repr(operation.deconstruct()[1:])])
    except Exception:
        return "\n\n".join(sources(type(operation)))


def defaults_of(operation):
    """Return the code that generates the defaults of CreateModel, AddField or AlterField, as text."""
    fields = [field for _, field in operation.fields] if isinstance(operation, migrations.CreateModel) else []
    fields += [operation.field] if isinstance(operation, (migrations.AddField, migrations.AlterField)) else []
    found = []
    for field in fields:
        # The values of a UUID field may differ anyway.
        if callable(field.default) and field.has_default() and not isinstance(field, models.UUIDField):
            name = getattr(field.default, "__qualname__", type(field.default).__name__)
            found += [getattr(field.default, "__module__", None) or "", name, *sources(field.default)]
        server = getattr(field, "db_default", None)
        if hasattr(server, "resolve_expression"):
            found += [repr(server), *sources(type(server))]
    return "\n".join(found)


def sql_text(sql):
    """Return the SQL of RunSQL with its parameters, without comments."""
    if not isinstance(sql, (list, tuple)):
        return without_comments(text_of(sql))
    pairs = [one if isinstance(one, (list, tuple)) else (one, None) for one in sql]
    return ";\n".join(without_comments(text_of(text)) + (" -- %r" % (words,) if words else "") for text, words in pairs)


def sources(start):
    """Return the source of a function or class and, recursively, of all application code that it names."""
    found, seen, waiting = [], set(), [start]
    while waiting and len(seen) < 200 and sum(map(len, found)) < 200000:
        thing = waiting.pop(0)
        while isinstance(thing, functools.partial):
            found.append(repr((thing.args, thing.keywords)))
            thing = thing.func
        thing = inspect.unwrap(getattr(thing, "__func__", thing)) if callable(thing) else thing
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, (str, bytes, list, tuple, dict, set, frozenset)):
            found.append(repr(thing)[:20000])
            continue
        if not foreign(thing):
            if not (inspect.isfunction(thing) or inspect.isclass(thing)):
                thing = type(thing)
            found.append(source_text(thing))
            waiting.extend(named_by(thing))
    return [one for one in found if one]


def foreign(thing):
    """Return True if an object belongs to Django or Python, not to the application or its libraries."""
    module = getattr(thing, "__module__", None) or getattr(type(thing), "__module__", "") or ""
    top = module.split(".")[0]
    return top in ("django", "builtins", "") or top in getattr(sys, "stdlib_module_names", ())


def source_text(thing):
    """Return the source; if there is none, the names and constants of the compiled code."""
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        codes = list(code_objects(thing))
        return "\n".join(str(word) for code in codes for word in (*code.co_names, *code.co_consts))


def code_objects(thing):
    """Yield the code objects of a function, of nested functions, or of a class's methods."""
    waiting = [thing.__code__] if hasattr(thing, "__code__") else []
    if inspect.isclass(thing):
        waiting = [f.__code__ for f in vars(thing).values() if hasattr(f, "__code__")]
    while waiting:
        code = waiting.pop()
        yield code
        waiting.extend(one for one in code.co_consts if inspect.iscode(one))


def named_by(thing):
    """Return the application's objects that a function or class names, also through modules and local imports."""
    names = {name for code in code_objects(thing) for name in code.co_names}
    scope = dict(getattr(thing, "__globals__", None) or vars(sys.modules.get(thing.__module__, object)))
    if getattr(thing, "__closure__", None):
        scope.update(zip(thing.__code__.co_freevars, (cell.cell_contents for cell in thing.__closure__)))
        names.update(thing.__code__.co_freevars)
    scope.update(imported_in(thing))
    found = []
    for name in sorted(names & set(scope)):
        value = scope[name]
        if not inspect.ismodule(value):
            found.append(value)
        elif not foreign_module(value):
            found.extend(getattr(value, one) for one in sorted(names) if one in vars(value))
    return [one for one in found if not inspect.ismodule(one) and not is_model(one)]


def imported_in(thing):
    """Return the application's objects that a function imports locally, by their local names."""
    found = {}
    for node in ast.walk(parsed(thing) or ast.Module(body=[], type_ignores=[])):
        if isinstance(node, ast.ImportFrom):
            package = getattr(thing, "__globals__", {}).get("__package__") or ""
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package or None)
            for one in node.names:
                found[one.asname or one.name] = module_or_part(base, one.name)
        elif isinstance(node, ast.Import):
            found.update({one.asname: module_or_part(one.name, "") for one in node.names if one.asname})
            found.update(
                {part: module_or_part(one.name, "") for one in node.names for part in one.name.split(".")[-1:]}
            )
    return {name: value for name, value in found.items() if value is not None}


def module_or_part(base, name):
    """Return a module of the application or an object in it; None if it is Django's, Python's, or does not exist."""
    try:
        module = importlib.import_module(base)
        if foreign_module(module):
            return None
        if not name:
            return module
        return vars(module)[name] if name in vars(module) else importlib.import_module(base + "." + name)
    except Exception:
        return None


def parsed(thing):
    """Return the syntax tree of a function or class; None if its source cannot be read."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None


def foreign_module(module):
    """Return True if a module is Django's or Python's."""
    top = module.__name__.split(".")[0]
    return top == "django" or top in getattr(sys, "stdlib_module_names", ())


def is_model(thing):
    """Return True if an object is a model, whose source would lead to most other models."""
    return inspect.isclass(thing) and issubclass(thing, models.Model)


WHOLE = {
    "all", "order_by", "select_related", "prefetch_related", "only", "defer", "values", "values_list", "iterator",
    "objects", "using", "reverse", "annotate", "select_for_update",
}  # fmt: skip


def tree_of(operation):
    """Return the syntax tree of a RunPython's function."""
    return parsed(inspect.unwrap(operation.code))


def model_asked(node):
    """Return ("app", "Model") if a node is a call of ``get_model``, in either spelling; else None."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_model"):
        return None
    words = [one.value if isinstance(one, ast.Constant) else None for one in node.args]
    words += [one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)]
    if not words or not all(isinstance(word, str) for word in words):
        return None
    words = words[0].split(".") if len(words) == 1 else words
    return tuple(words[:2]) if len(words) >= 2 else None


MAYBE = (ast.If, ast.Try, ast.For, ast.While, ast.IfExp, ast.BoolOp, ast.Lambda)


def certain(tree):
    """Yield the nodes of a function that always run: those without a condition, up to the first return or raise."""
    for statement in getattr(tree.body[0], "body", []) if tree.body else []:
        yield from unconditional(statement)
        if any(isinstance(node, (ast.Return, ast.Raise)) for node in ast.walk(statement)):
            return


def unconditional(node):
    """Yield a node and its descendants, except those under a condition."""
    if isinstance(node, MAYBE):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from unconditional(child)


def missing_models(tree, state):
    """Return the models that the function always loads and that do not exist at this point of the migrations."""
    asked = {model_asked(node) for node in certain(tree)} - {None}
    there = {key for key in state.models} | {
        (m._meta.app_label, m._meta.model_name) for m in state.apps.get_models(include_auto_created=True)
    }
    return sorted(".".join(one) for one in asked if (one[0], one[1].lower()) not in there)


def loops(tree, state):
    """Return the loops over all rows of a model, and whether a loop holds all rows in memory."""
    assigned = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pair = isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                pairs = zip(target.elts, node.value.elts) if pair else [(target, node.value)]
                assigned.update({one.id: chain(value, assigned) for one, value in pairs if isinstance(one, ast.Name)})
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.comprehension)):
            asked, words = chain(node.iter, assigned)
            model = model_of(state, *asked) if asked else None
            if model is not None and "objects" in words and set(words) <= WHOLE:
                found.append(
                    {"model": ".".join(asked), "table": model._meta.db_table, "memory": "iterator" not in words}
                )
    return found


def chain(node, assigned):
    """Return the model at which a chain of attributes and calls begins, and the names in the chain."""
    words = []
    while True:
        if model_asked(node):
            return model_asked(node), words
        if isinstance(node, ast.Name):
            asked, before = assigned.get(node.id, (None, []))
            return asked, words + before
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            words.append(node.attr)
            node = node.value
        else:
            return None, words
