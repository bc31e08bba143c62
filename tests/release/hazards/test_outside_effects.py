"""What a migration's code reaches beyond its database is seen in the code itself, not in its comments and texts."""

from __future__ import annotations

import pytest

from ops.application.database_aliases import leads_elsewhere
from ops.application.operations import Application, Names, Operation
from ops.release.hazards.outside_effects import reaches
from ops.release.hazards.rule import RULES, Place

CODE = """
def tell(apps, schema_editor):
    # {word} in a comment
    for person in apps.get_model("shop", "Person").objects.iterator():
        {line}
"""


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("mail", "send_mail('hello', 'text', 'a@example.com', [person.email])"),
        ("mail", "EmailMessage('hello').send()"),
        ("HTTP", "requests.post('https://example.com', json={})"),
        ("HTTP", "from urllib.request import urlopen"),
        ("storage", "default_storage.delete(person.photo)"),
        ("cache", "cache.delete('people')"),
        ("Celery", "welcome.delay(person.pk)"),
        ("Celery", "welcome.apply_async((person.pk,))"),
        ("another database", "connections['reports'].cursor()"),
        ("another database", "person.objects.using('reports').delete()"),
    ],
)
def test_what_is_reached_is_named(kind: str, line: str) -> None:
    assert list(reaches(CODE.format(word="", line=line))) == [kind]


def test_words_in_comments_and_texts_reach_nothing() -> None:
    stays = "person.objects.using(schema_editor.connection.alias).update(a=person.requests.count())"
    assert reaches(CODE.format(word="", line=stays)) == {}
    quiet = "person.note = 'requests.post and send_mail'; cache = 1; delay = cache"
    assert reaches(CODE.format(word="send_mail(requests.get)", line=quiet)) == {}


def test_of_what_does_not_parse_the_words_are_taken() -> None:
    assert reaches("def broken(:\n    send_mail()  # smtplib\n") == {"mail": ["send_mail"]}


def test_sql_reaches_out_by_dblink_only() -> None:
    assert reaches("SELECT dblink_exec('c', 'DELETE FROM x')", sql=True) == {"another database": ["dblink_exec"]}
    assert reaches("-- dblink\nSELECT requests FROM cache", sql=True) == {}


def test_the_hazard_says_what_and_where() -> None:
    code = CODE.format(word="", line="send_mail('hello')")
    one = Operation(migration="shop.0002", index=0, kind="RunPython", opaque=True, code=code)
    place = Place(one, Names(), Application(operations=(one,)), None, (), ())  # type: ignore[arg-type]
    [found] = RULES["GP601"].hazards(place)
    assert found.what == "RunPython may have effects outside the database: mail (send_mail)"
    assert "GENERALPROBE" in found.how


OWN = ("7", "test")


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ({"vendor": "unknown", "disabled": True}, ""),
        ({"vendor": "sqlite", "disabled": False, "memory": True}, ""),
        ({"vendor": "sqlite", "disabled": False, "memory": False}, "sqlite, which cannot be cloned"),
        ({"vendor": "mysql", "disabled": False}, "mysql, which cannot be cloned"),
        (
            {"vendor": "postgresql", "disabled": False, "error": "OperationalError"},
            "a database that can't be connected to",
        ),
        ({"vendor": "postgresql", "disabled": False, "system": "7", "database": "test", "clone": False}, ""),
        ({"vendor": "postgresql", "disabled": False, "system": "7", "database": "other", "clone": True}, ""),
        ({"vendor": "postgresql", "disabled": False, "system": "8", "database": "test", "clone": False}, "not a clone"),
    ],
)
def test_where_an_alias_may_lead(there: dict[str, object], said: str) -> None:
    found = leads_elsewhere(there, OWN)
    assert said in found and bool(said) == bool(found)
