"""Define the rule for migration code with effects outside its database, which a rehearsal also has."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from ops.release.hazards.rule import Found, Place, rule

# The names of modules, functions and attributes that reach each kind of service.
KINDS = {
    "mail": r"send_(?:mass_)?mail|mail_(?:admins|managers)|Email(?:Message|MultiAlternatives)|email_user|smtplib",
    "HTTP": r"requests|httpx|aiohttp|urllib3?|urlopen|grpc|stripe|slack_sdk|twilio|sentry_sdk",
    "storage": r"default_storage|storages|boto3|botocore|FileSystemStorage|obstore|fsspec",
    "cache": r"caches?|redis|memcache|pymemcache",
    "Celery": r"celery|delay|delay_on_commit|apply_async|send_task|shared_task|dramatiq|rq|huey",
    "another database": r"connections|using|dblink\w*|postgres_fdw",
}
SQL = re.compile(r"\bdblink\w*", re.IGNORECASE)
# Columns and variables also have these names, so attributes and words of code that does not parse do not count.
COMMON = {"cache", "caches", "requests", "connections", "redis", "rq", "huey", "stripe"}


def reaches(code: str, *, sql: bool = False) -> dict[str, list[str]]:
    """Return the kinds of services that code reaches, each with the names that reach it.

    Comments and string literals do not count. In SQL, only dblink counts.

    Args:
        code: source in Python, or SQL.
    """
    if sql:
        plain = re.sub(r"--[^\n]*|/\*.*?\*/", " ", code, flags=re.DOTALL)
        return {"another database": sorted(set(SQL.findall(plain)))} if SQL.search(plain) else {}
    words = _names(code)
    found = {kind: sorted(word for word in words if re.fullmatch(pattern, word)) for kind, pattern in KINDS.items()}
    return {kind: names for kind, names in found.items() if names}


def _names(code: str) -> set[str]:
    """Return the names that code imports, calls and reads attributes of."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return _tokens(code)
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {part for one in node.names for part in one.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            found |= {*(node.module or "").split("."), *(one.name for one in node.names)}
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} - COMMON
            found |= {node.value.id} if isinstance(node.value, ast.Name) else set()
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            found.add(node.value.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(node.func.id)
    # using(schema_editor.connection.alias) names no other database: it is the one that is migrated.
    return (found - {"using"}) | {"using" for node in ast.walk(tree) if _names_alias(node)}


def _names_alias(node: ast.AST) -> bool:
    """Return True if a node calls ``….using("name")``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "using"):
        return False
    return any(isinstance(one, ast.Constant) and one.value != "default" for one in node.args)


def _tokens(code: str) -> set[str]:
    """Return the names in code that does not parse."""
    found = set()
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.NAME and token.string not in COMMON:
                found.add(token.string)
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return found


@rule(
    "GP601",
    "note",
    what="{words} may have effects outside the database: {reached}",
    why="Both the rehearsal and the release run this code on real rows, so it could send mail to people or change "
    "files. A rollback does not undo that.",
    how="Move the code to a management command after the release, or disable it in the settings where\n"
    '    os.environ.get("GENERALPROBE") == "rehearsal"   (docs/explanation/rehearsal.md)',
)
def reaches_beyond(place: Place) -> Iterator[Found]:
    """Find calls of mail, HTTP, storage, cache, task queues and other databases."""
    operation = place.operation
    if operation.opaque and (found := reaches(operation.code, sql=operation.kind == "RunSQL")):
        reached = "; ".join(f"{kind} ({', '.join(names[:3])})" for kind, names in found.items())
        yield Found({"reached": reached})
