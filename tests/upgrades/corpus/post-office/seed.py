autofill("post_office", rows=150)
