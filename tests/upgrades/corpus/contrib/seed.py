users(100)
autofill(
    "auth",
    "sessions",
    "sites",
    "redirects",
    "flatpages",
    "admin",
    "shop",
    rows=150,
    skip=("auth.User", "auth.Permission"),
)
