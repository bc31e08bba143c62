"""Rules about what a migration's code reaches beyond its database. A rehearsal runs that code, too, for real."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from ops.release.hazards.rule import Found, Place, rule

# What is reached, by the names of the modules, functions and attributes with which code does so.
KINDS = {
    "mail": r"send_(?:mass_)?mail|mail_(?:admins|managers)|Email(?:Message|MultiAlternatives)|email_user|smtplib",
    "HTTP": r"requests|httpx|aiohttp|urllib3?|urlopen|grpc|stripe|slack_sdk|twilio|sentry_sdk",
    "storage": r"default_storage|storages|boto3|botocore|FileSystemStorage|obstore|fsspec",
    "cache": r"caches?|redis|memcache|pymemcache",
    "Celery": r"celery|delay|delay_on_commit|apply_async|send_task|shared_task|dramatiq|rq|huey",
    "another database": r"connections|using|dblink\w*|postgres_fdw",
}
SQL = re.compile(r"\bdblink\w*", re.IGNORECASE)
# These are also names of columns and variables: as attributes, and where code does not parse, they do not count.
COMMON = {"cache", "caches", "requests", "connections", "redis", "rq", "huey", "stripe"}


def reaches(code: str, *, sql: bool = False) -> dict[str, list[str]]:
    """What code reaches, and by which names; comments and texts do not count, and of SQL only dblink does.

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
    """The names that code uses: of what it calls, with what stands before a dot, and of what it imports."""
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
    # Django's own way to stay on the database that is migrated takes no name: using(schema_editor.connection.alias).
    return (found - {"using"}) | {"using" for node in ast.walk(tree) if _names_alias(node)}


def _names_alias(node: ast.AST) -> bool:
    """Whether this is ``….using("name")``."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "using"):
        return False
    return any(isinstance(one, ast.Constant) and one.value != "default" for one in node.args)


def _tokens(code: str) -> set[str]:
    """The names among the words of what does not parse as a whole."""
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
    what="{words} may reach beyond the database: {reached}",
    why="The rehearsal runs it, too, on true rows, so real people could be written to and real files changed: once in "
    "the rehearsal, and once more in production; and no way back undoes that.",
    how="Take it out of the migration (a management command after the release), or let the settings disable it where\n"
    '    os.environ.get("GENERALPROBE") == "rehearsal"   (docs/explanation/rehearsal.md)',
)
def reaches_beyond(place: Place) -> Iterator[Found]:
    """Calls of mail, HTTP, storage, cache, tasks and other databases."""
    operation = place.operation
    if operation.opaque and (found := reaches(operation.code, sql=operation.kind == "RunSQL")):
        said = "; ".join(f"{kind} ({', '.join(names[:3])})" for kind, names in found.items())
        yield Found({"reached": said})
