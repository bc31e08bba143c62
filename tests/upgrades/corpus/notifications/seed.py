users(40)
autofill("auth", "notifications", rows=200, skip=("auth.User", "auth.Permission"))
