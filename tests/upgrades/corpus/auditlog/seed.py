import json

users(40)
autofill(
    "auth",
    "auditlog",
    rows=200,
    skip=("auth.User", "auth.Permission"),
    given={"auditlog.LogEntry.changes": lambda n: json.dumps({"title": [words(), words()], "n": [str(n), "None"]})},
)
