autofill("django_q", rows=100)
