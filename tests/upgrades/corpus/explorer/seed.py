users(20)
autofill(
    "explorer",
    rows=60,
    given={"explorer.Query.connection": lambda n: "default", "explorer.QueryLog.connection": lambda n: "default"},
)
