from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

intervals = [IntervalSchedule.objects.create(every=n % 5 + 1, period=rng.choice(["days", "hours"])) for n in range(20)]
crontabs = [
    CrontabSchedule.objects.create(minute=str(n % 60), hour="*", day_of_week=rng.choice(["*", "mon-fri"]), timezone=z)
    for n in range(30)
    for z in ("UTC", "Europe/Berlin")
]
solar = SolarSchedule.objects.create(event="sunset", latitude="52.520008", longitude="13.404954")
for n in range(100):
    way = [{"interval": rng.choice(intervals)}, {"crontab": rng.choice(crontabs)}, {"solar": solar}][n % 3]
    PeriodicTask.objects.create(
        name="%s %d" % (words(2), n),
        task="app.tasks.t%d" % (n % 4),
        args='["ü", 1]',
        kwargs="{}",
        enabled=n % 4 > 0,
        queue=rng.choice([None, "q"]),
        expires=rng.choice([None, moment()]),
        description=rng.choice(["", words()]),
        total_run_count=n,
        last_run_at=rng.choice([None, moment()]),
        **way,
    )
