users(40)
autofill("knox", rows=100)
