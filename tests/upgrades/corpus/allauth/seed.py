from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib.sites.models import Site

people = users(60)
for n, user in enumerate(people):
    if user.email and not EmailAddress.objects.filter(email=user.email).exists():
        address = EmailAddress.objects.create(user=user, email=user.email, verified=n % 3 > 0, primary=True)
        EmailConfirmation.objects.create(email_address=address, key="key%d" % n, sent=moment() if n % 2 else None)
        EmailAddress.objects.create(user=user, email="second%d@example.org" % n, verified=n % 2 == 0)
apps = [
    SocialApp.objects.create(provider=p, name=p, client_id=p + "-id", secret="s", key="") for p in ("github", "google")
]
for app in apps:
    app.sites.add(Site.objects.first())
for n, user in enumerate(people[:40]):
    account = SocialAccount.objects.create(
        user=user,
        provider=apps[n % 2].provider,
        uid=str(1000 + n),
        extra_data={"name": words(), "n": n, "f": 1.50, "l": [1, None]},
    )
    SocialToken.objects.create(
        app=apps[n % 2], account=account, token="t" * (n + 1), expires_at=moment() if n % 2 else None
    )
