users(40)
autofill("authtoken", "token_blacklist", rows=200)
