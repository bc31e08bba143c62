from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken

people = users(20)
apps = [
    Application.objects.create(
        name=words(),
        user=rng.choice(people + [None]),
        client_type=rng.choice(["confidential", "public"]),
        authorization_grant_type=rng.choice(["authorization-code", "password", "client-credentials"]),
        redirect_uris="https://example.com/a https://example.com/b",
        skip_authorization=n % 2 == 0,
    )
    for n in range(12)
]
for n in range(300):
    token = AccessToken.objects.create(
        user=rng.choice(people + [None]),
        token="token-%d-%s" % (n, "x" * (n % 100)),
        application=rng.choice(apps + [None]),
        expires=moment(),
        scope=rng.choice(["read", "read write", ""]),
    )
    if n % 2:
        RefreshToken.objects.create(
            user=rng.choice(people),
            token="refresh-%d" % n,
            application=rng.choice(apps),
            access_token=token if n % 3 else None,
            revoked=moment() if n % 5 == 0 else None,
        )
    if n % 10 == 0:
        Grant.objects.create(
            user=rng.choice(people),
            code="code%d" % n,
            application=rng.choice(apps),
            expires=moment(),
            redirect_uri="https://example.com/a",
            scope="read",
        )
