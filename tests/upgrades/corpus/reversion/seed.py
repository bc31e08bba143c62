users(20)
autofill("reversion", rows=200)
