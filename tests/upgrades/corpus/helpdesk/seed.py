users(30)
autofill("helpdesk", rows=50)
