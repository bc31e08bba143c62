users(40)
autofill("auth", rows=10, skip=("auth.User", "auth.Permission"))
autofill("waffle", rows=60)
