autofill("django_celery_results", rows=500)
