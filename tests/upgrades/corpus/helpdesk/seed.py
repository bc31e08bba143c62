users(5)
autofill("helpdesk", rows=50)
