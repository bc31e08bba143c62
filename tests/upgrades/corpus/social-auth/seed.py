users(40)
autofill("social_django", rows=200)
