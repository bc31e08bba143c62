from axes.models import AccessAttempt, AccessLog

for n in range(400):
    common = dict(
        user_agent=words(6),
        ip_address=rng.choice(["127.0.0.1", "2001:db8::1", None]),
        username=rng.choice(["alice", "bob", None, "ünï"]),
        http_accept="text/html",
        path_info="/login/",
    )
    AccessLog.objects.create(logout_time=moment() if n % 2 else None, trusted=n % 3 == 0, **common)
    AccessAttempt.objects.create(get_data=words(), post_data=words(9), failures_since_start=n % 6, **common)
