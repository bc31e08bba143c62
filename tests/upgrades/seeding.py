"""Runs a case's ``seed.py`` inside the old release, with a few things that every seed needs.

It is copied into the project and run by the old release's Python: keep it to what Python 3.8 and Django 2.2 know.
"""

import datetime
import os
import random
import sys

# Split here, since the tab has to stay within its word.
WORDS = [
    "alpha",
    "Beta",
    "gamma",
    "délta",
    "Straße",
    "日本語",
    "naïve",
    "Ünïcode",
    "emoji🙂",
    "O'Neil",
    'quote"d',
    "back\\slash",
    "%percent",
    "tab\there",
    "ПРИВЕТ",
    "İstanbul",
    "ﬁgure",
    "é",
    "null",
    "NULL",
    "true",
    "0",
    "1.50",
    "-0",
    "{}",
    "[]",
]  # noqa: SIM905

rng = random.Random(20261123)


def words(count=3):
    """Some words, Unicode and signs that code trips over among them."""
    return " ".join(rng.choice(WORDS) for _ in range(count))


def moment(days=1000):
    """A moment in the last years, in UTC, to the microsecond."""
    begin = datetime.datetime(2021, 1, 1, tzinfo=datetime.timezone.utc)
    return begin + datetime.timedelta(days=rng.randrange(days), microseconds=rng.randrange(86_400_000_000))


def users(count=30):
    """Users, made by the ORM; some have no e-mail address, two share one."""
    from django.contrib.auth import get_user_model

    model = get_user_model()
    made = []
    for n in range(count):
        name = {model.USERNAME_FIELD: "user%d" % n}
        user = model(first_name=rng.choice(WORDS)[:30], last_name=rng.choice(WORDS)[:30], **name)
        user.email = "" if n % 7 == 0 else "user%d@example.com" % (n if n != 5 else 4)
        user.is_active = n % 5 != 0
        user.set_unusable_password()
        user.save()
        made.append(user)
    return made


def main():
    """Execute the file that the first argument names."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
    sys.path.insert(0, os.getcwd())
    import django

    django.setup()
    given = {"__name__": "seed", "rng": rng, "words": words, "moment": moment, "users": users, "WORDS": WORDS}
    from autofill import autofill

    given.update(datetime=datetime, autofill=autofill)
    with open(sys.argv[1], encoding="utf-8") as file:
        exec(compile(file.read(), sys.argv[1], "exec"), given)


if __name__ == "__main__":
    # autofill imports this module by its name: one random sequence for both.
    sys.modules["seeding"] = sys.modules["__main__"]
    main()
