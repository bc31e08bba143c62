"""A clone without fangs: sessions and tokens gone, people unreadable, schedules off, before anybody can reach it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from ops.inventory.load import load
from tests.conftest import Done, Project
from tests.support.project import begin, ended
from tests.support.tiers import quick
from tests.system.cli.test_pages import paste

Make = Callable[..., Project]

# What a shop has beside its lessons: people, sessions, tokens, queued mail, a schedule, a webhook.
SEED = """
INSERT INTO auth_user (username, email, first_name, last_name, password, is_superuser, is_staff, is_active, date_joined)
SELECT 'user' || n, 'person' || n || '@example.com', 'Anna', 'Meier ' || n, 'pbkdf2_sha256$1$salt$hash' || n,
       n = 1, n = 1, true, now() FROM generate_series(1, 300) n;
INSERT INTO auth_user (username, email, first_name, last_name, password, is_superuser, is_staff, is_active, date_joined)
VALUES ('nobody', '', '', '', '', false, false, true, now());
CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL,
    expire_date timestamptz NOT NULL);
INSERT INTO django_session SELECT 'key' || n, 'person' || n, now() FROM generate_series(1, 1204) n;
CREATE TABLE authtoken_token (key varchar(40) PRIMARY KEY, created timestamptz NOT NULL,
    user_id integer NOT NULL UNIQUE REFERENCES auth_user DEFERRABLE INITIALLY DEFERRED);
INSERT INTO authtoken_token SELECT md5(id::text), now(), id FROM auth_user LIMIT 7;
CREATE TABLE django_site (id serial PRIMARY KEY, domain varchar(100) NOT NULL UNIQUE, name varchar(50) NOT NULL);
INSERT INTO django_site (domain, name) VALUES ('shop.example.com', 'Shop'), ('b.example.com', 'B');
CREATE TABLE post_office_email (id serial PRIMARY KEY, "to" text NOT NULL, message text NOT NULL);
CREATE TABLE post_office_log (id serial PRIMARY KEY, email_id integer NOT NULL REFERENCES post_office_email DEFERRABLE
    INITIALLY DEFERRED);
INSERT INTO post_office_email ("to", message) VALUES ('person1@example.com', 'Hello'), ('person2@example.com', 'You');
INSERT INTO post_office_log (email_id) VALUES (1), (2);
CREATE TABLE django_celery_beat_periodictask (id serial PRIMARY KEY, name varchar(200) NOT NULL,
    enabled boolean NOT NULL);
INSERT INTO django_celery_beat_periodictask (name, enabled) VALUES ('invoices', true), ('old', false);
CREATE TABLE shop_customer (id serial PRIMARY KEY, email varchar(254) NOT NULL UNIQUE, phone varchar(30),
    name varchar(80) NOT NULL, callback_url varchar(200), note text);
INSERT INTO shop_customer (email, phone, name, callback_url, note) SELECT 'person' || n || '@example.com', '0171 ' || n,
    'Meier ' || n, 'https://hook.example.com/' || n, 'called ' || n FROM generate_series(1, 250) n;
CREATE TABLE shop_history (id serial PRIMARY KEY, was text NOT NULL);
CREATE FUNCTION shop_remember() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO shop_history (was) VALUES (OLD.email); RETURN NEW; END $$;
CREATE TRIGGER remember AFTER UPDATE ON shop_customer FOR EACH ROW EXECUTE FUNCTION shop_remember();
CREATE TABLE big_log (id serial PRIMARY KEY, line text NOT NULL);
INSERT INTO big_log (line) SELECT 'person' || n || '@example.com was here' FROM generate_series(1, 500) n;
CREATE MATERIALIZED VIEW shop_people AS SELECT email FROM shop_customer;
"""
MASKS = {
    "public.auth_user.email": "email",
    "public.auth_user.first_name": "name",
    "public.auth_user.last_name": "name",
    "public.auth_user.username": "name",
    "public.shop_customer.email": "email",
    "public.shop_customer.phone": "digits",
    "public.shop_customer.name": "name",
    "public.shop_customer.note": None,
    "public.lessons_teacher.name": "name",
}
DEFANG: dict[str, Any] = {"mask": MASKS, "clear": ["public.big_log"]}
# What nobody who reads the clone may find, in any column of any table.
FANGS = ("@example.com", "Meier", "Anna", "pbkdf2", "hook.example", "Frau", "shop.example")


def shop_with(project: Make, defang: dict[str, Any] | None = DEFANG, sql: str = "") -> Project:
    """A shop with people in it. ``sql``: the text of its ops/defang.sql."""
    shop = project("b", **({} if defang is None else {"defang": defang}))
    shop.query(SEED)
    if sql:
        (shop.folder / "ops").mkdir()
        (shop.folder / "ops/defang.sql").write_text(sql)
    return shop


def clone_of(shop: Project) -> Project:
    return Project(shop.folder, shop.test, shop.test, shop.env)


def databases(shop: Project) -> list[str]:
    """The test database and those beside it, by the rest of their names."""
    stem = shop.test.rsplit("/", 1)[1]
    names = shop.query(f"SELECT datname FROM pg_database WHERE starts_with(datname, '{stem}') ORDER BY 1", "postgres")
    return [str(name).removeprefix(stem) for (name,) in names]


def run_of(shop: Project) -> str:
    """The last run."""
    return sorted(path.name for path in shop.folder.glob("backups/shop/runs/*"))[-1]


def ok(done: Done) -> Done:
    assert done.code == 0, done.out + done.err
    return done


def found(clone: Project, words: tuple[str, ...] = FANGS) -> list[str]:
    """The tables and views of a clone in which one of the words is to be read."""
    names = clone.query(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace = 'public'::regnamespace"
    )
    return [
        f"{name}: {word}"
        for (name,) in names
        for word in words
        if clone.query(f"SELECT 1 FROM {name} x WHERE position('{word}' IN x::text) > 0 LIMIT 1")
    ]


def test_people_are_unreadable_and_nothing_reaches_them(project: Make) -> None:
    shop = shop_with(project)
    before = shop.fingerprint()
    done = ok(shop.inv("clone-prod-to-test", "--json"))
    clone = clone_of(shop)
    assert found(shop) and found(clone) == []
    said = next(e["detail"] for e in done.events if e.get("step") == "clone.defang" and e["status"] == "done")
    for line in (
        "sessions: 1,204 rows removed",
        "tokens: 7 rows removed",
        "passwords: 300 values masked",
        "sites: 2 values masked",
        "mail: 4 rows removed",
        "schedules: 1 value masked",
        "webhooks: 250 values masked",
        "public.auth_user.email: 300 values masked",
        "public.shop_customer.note: 250 values masked",
        "public.big_log: 500 rows removed",
    ):
        assert line in said.splitlines(), said
    (report,) = shop.folder.glob("backups/shop/runs/*/defang.json")
    emptied = json.loads(report.read_text())["emptied"]
    assert {"table": "public.django_session", "by": "sessions", "rows": 1204} in emptied

    form = "^user-[0-9a-f]{16}@example[.]invalid$"
    looked = clone.query(f"SELECT count(*), count(DISTINCT email), bool_and(email ~ '{form}') FROM shop_customer")
    assert looked == [(250, 250, True)]
    # Who is the same in two tables still is; who had no address has none.
    assert clone.query("SELECT count(*) FROM auth_user JOIN shop_customer USING (email)") == [(250,)]
    assert clone.query("SELECT email, first_name, password FROM auth_user WHERE id = 301") == [("", "", "")]
    assert clone.query("SELECT domain FROM django_site ORDER BY id") == [("test.invalid",), ("test-2.invalid",)]
    assert clone.query("SELECT bool_or(enabled) FROM django_celery_beat_periodictask") == [(False,)]
    assert clone.query("SELECT count(*) FROM shop_history") == [(0,)]
    assert clone.query("SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'remember'") == [("O",)]
    assert clone.query("SELECT count(*), max(email) LIKE '%.invalid' FROM shop_people") == [(250, True)]
    stats = clone.query(
        "SELECT count(*) FROM pg_stats WHERE schemaname = 'public' AND most_common_vals::text LIKE '%Anna%'"
    )
    assert stats == [(0,)]
    # What the application does not keep of people is as it was, and production is untouched.
    equal = {name for name, content in clone.fingerprint().items() if before[name] == content}
    assert {"public.lessons_lesson", "public.lessons_booking", "public.django_migrations"} <= equal
    assert shop.fingerprint() == before


@pytest.mark.slow
def test_masks_of_two_clones_differ_and_the_salt_is_nowhere(project: Make) -> None:
    shop = shop_with(project)
    ok(shop.inv("clone-prod-to-test"))
    first = clone_of(shop).query("SELECT email FROM shop_customer WHERE id = 1")
    ok(shop.inv("clone-prod-to-test"))
    second = clone_of(shop).query("SELECT email FROM shop_customer WHERE id = 1")
    assert first != second
    (digest,) = second[0]
    kept = [
        path
        for path in shop.folder.glob("backups/shop/runs/*/*")
        if path.is_file() and digest[5:21] in path.read_text()
    ]
    assert kept == []


def test_what_is_not_classified_is_refused_and_its_draft_passes(project: Make) -> None:
    shop = shop_with(project, {"rules": ["sessions"], "keep": ["public.auth_user.username"]})
    before = shop.fingerprint()
    done = shop.inv("clone-prod-to-test")
    assert done.code == 3, done.out + done.err
    assert "public.auth_user.email: an e-mail address" in done.out
    assert "public.authtoken_token.key" not in done.out.split("defang:")[0]
    assert "Traceback" not in done.out + done.err
    assert databases(shop) == [f"_spare_{run_of(shop)}"]
    ok(shop.inv("undo"))
    text = (shop.folder / "inventory.yaml").read_text()
    draft = done.out[done.out.index("          defang:") :].split("\nState:")[0].rstrip() + "\n"
    old = text[text.index("          defang:") : text.index("          test: shop-test")]
    (shop.folder / "inventory.yaml").write_text(text.replace(old, draft))
    ours = load(shop.folder / "inventory.yaml").targets["shop"].defang
    assert ours and ours.rules == ("sessions",) and ours.keep == ("public.auth_user.username",)
    ok(shop.inv("clone-prod-to-test"))
    # No pattern knows a log's lines, or the column `to`: those are the rules' and the operator's to say.
    left = found(clone_of(shop), ("@example.com", "Anna", "Frau", "Meier"))
    assert sorted(left) == ["big_log: @example.com", "post_office_email: @example.com"]
    assert shop.fingerprint() == before


def test_a_release_rehearses_on_true_rows_and_the_test_database_never_holds_them(project: Make) -> None:
    shop = shop_with(project)
    done = ok(shop.inv("release", "--confirm=shop", "--json"))
    assert any(e.get("step") == "verify.account" and "accounted for" in e.get("detail", "") for e in done.events)
    # It was made beside the test database, which is not even there yet, and is gone.
    assert databases(shop) == []
    names = {name for e in done.events for name in json.dumps(e.get("plan", "")).split() if "service=shop-test" in name}
    assert names and not any("service=shop-test " in f"{name} " for name in names)
    ok(shop.inv("clone-prod-to-test"))
    clone = clone_of(shop)
    assert found(clone) == [] and databases(shop) == [""]
    assert clone.query("SELECT count(*) FROM lessons_session") == [(1000,)]


@pytest.mark.slow
def test_a_refused_release_leaves_the_clone_and_its_rehearsal_can_be_looked_at(project: Make) -> None:
    shop = project("a", defang=DEFANG)
    shop.query(SEED)
    ok(shop.inv("clone-prod-to-test"))
    before = clone_of(shop).fingerprint()
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 5 and "1,000 rows" in done.out, done.out + done.err
    assert clone_of(shop).fingerprint() == before
    assert databases(shop) == ["", "_rehearsal", "_rehearsal_before"]
    again = shop.inv("verify")
    assert again.code == 5 and "1,000 rows" in again.out, again.out + again.err
    # The next clone takes away what holds true rows.
    ok(shop.inv("clone-prod-to-test"))
    assert [name for name in databases(shop) if "rehearsal" in name or "before" in name] == []
    for task in ("migrate-test", "verify"):
        refused = shop.inv(task)
        assert refused.code == 3 and "inv release --target=shop" in refused.out, refused.out
    assert found(clone_of(shop)) == []


@pytest.mark.slow
def test_a_refused_release_is_taken_back(project: Make) -> None:
    shop = project("a", defang=DEFANG)
    shop.query(SEED)
    assert shop.inv("release", "--confirm=shop").code == 5
    ok(shop.inv("undo", "--confirm=shop"))
    assert databases(shop) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "said"),
    quick(
        [
            ("SELECT 1;\nUPDATE nowhere SET a = 1;\n", 'ops/defang.sql:2: relation "nowhere" does not exist'),
            ("UPDATE shop_customer SET note = 'x';\nCOMMIT;\n", "ops/defang.sql ended the transaction"),
            ("ROLLBACK AND CHAIN;\n", "ops/defang.sql ended the transaction"),
            ("END; BEGIN;", "ops/defang.sql ended the transaction"),
            ("\\c postgres\n", "or connected to another database"),
            ("\\set ON_ERROR_STOP off\nSELECT 1/0;\n", "ops/defang.sql:2: division by zero"),
            ("\\nonsense\n", "ops/defang.sql:1: invalid command"),
            (
                "ALTER TABLE shop_customer ADD x int;",
                "the clone's schema differs from the backup's (ops/defang.sql ran)",
            ),
        ],
        "ROLLBACK AND CHAIN;\n",
        "\\nonsense\n",
    ),
)
def test_a_file_that_fails_or_leaves_its_transaction_changes_no_test_database(
    project: Make, sql: str, said: str
) -> None:
    shop = shop_with(project)
    ok(shop.inv("clone-prod-to-test"))
    before, names = clone_of(shop).fingerprint(), databases(shop)
    inventory = shop.folder / "inventory.yaml"
    inventory.write_text(inventory.read_text().replace("defang:\n", "defang:\n            sql: [ops/defang.sql]\n"))
    (shop.folder / "ops").mkdir()
    (shop.folder / "ops/defang.sql").write_text(sql)
    production = shop.fingerprint()
    done = shop.inv("clone-prod-to-test")
    assert done.code == 4 and said in done.out, done.out + done.err
    assert "Traceback" not in done.out + done.err and "person" not in done.out
    assert clone_of(shop).fingerprint() == before and shop.fingerprint() == production
    (shop.folder / "ops/defang.sql").write_text("SELECT 1;")
    resumed = shop.inv("resume")
    assert resumed.code == 3 and "ops/defang.sql" in resumed.out and "changed since" in resumed.out, resumed.out
    ok(shop.inv("undo"))
    assert databases(shop) == names and clone_of(shop).fingerprint() == before
    ok(shop.inv("clone-prod-to-test"))
    assert found(clone_of(shop)) == []


def test_a_file_works_on_true_rows_and_the_masks_have_the_last_word(project: Make) -> None:
    sql = "CREATE TEMP TABLE seen AS SELECT email FROM shop_customer;\nUPDATE lessons_lesson SET title = "
    sql += "(SELECT 'was ' || count(*) FROM seen WHERE email LIKE 'person%');\n"
    sql += "INSERT INTO auth_user (username, email, first_name, last_name, password, is_superuser, is_staff, is_active,"
    sql += " date_joined) VALUES ('Anna', 'anna@example.com', '', '', 'pbkdf2', true, true, true, now())"
    shop = shop_with(project, {**DEFANG, "sql": ["ops/defang.sql"]}, sql)
    said = ok(shop.inv("clone-prod-to-test")).out
    assert "ops/defang.sql: run" in said and "public.auth_user.email: 301 values masked" in said
    assert clone_of(shop).query("SELECT DISTINCT title FROM lessons_lesson") == [("was 250",)]
    assert found(clone_of(shop)) == []


def test_what_does_not_fit_is_refused_with_its_line(project: Make) -> None:
    masks = {
        "public.auth_user.emial": "email",
        "public.shop_customer.name": "null",
        "public.shop_customer.email": "empty",
        "public.lessons_lesson.id": "email",
        "public.django_site.name": "token",
    }
    shop = shop_with(project, {"mask": masks, "clear": ["public.big_logs"], "keep": ["public.nothing.at_all"]})
    text = (shop.folder / "inventory.yaml").read_text().splitlines()
    line = {name: n for n, content in enumerate(text, 1) for name in (*masks, "public.big_logs") if name in content}
    done = shop.inv("clone-prod-to-test")
    assert done.code == 3, done.out
    for name, why in [
        ("public.auth_user.emial", "the column does not exist; public.auth_user.email exists"),
        ("public.shop_customer.name", "`null` does not fit: the column is NOT NULL"),
        ("public.shop_customer.email", "`empty` does not fit: the column must be unique"),
        ("public.lessons_lesson.id", "`email` does not fit: "),
        ("public.big_logs", "the table does not exist; public.big_log exists"),
    ]:
        assert f"inventory.yaml:{line[name]}: shop: " in done.out and f"{name}: {why}" in done.out, (name, done.out)
    assert "public.nothing.at_all: the column does not exist" in done.out


def test_a_file_that_is_not_there_is_refused_before_anything(project: Make) -> None:
    shop = shop_with(project, {**DEFANG, "sql": ["ops/nowhere.sql"]})
    done = shop.inv("clone-prod-to-test")
    assert done.code == 3 and "shop: ops/nowhere.sql: no such file" in done.out, done.out
    assert "inventory.yaml:" in done.out and not list(shop.folder.glob("backups/shop/runs/*"))


@pytest.mark.slow
@pytest.mark.parametrize("word", quick(["resume", "undo"], "undo"))
def test_killed_while_it_masks_it_ends_both_ways(project: Make, word: str) -> None:
    shop = shop_with(project, {**DEFANG, "sql": ["ops/defang.sql"]}, "SELECT pg_sleep(1);")
    before = shop.fingerprint()
    process = begin(shop, "clone.defang", "clone-prod-to-test")
    process.send_signal(signal.SIGKILL)
    ended(process)
    assert 'not finished: "Defang the clone' in shop.inv("status").out
    with pytest.raises(psycopg.OperationalError):
        clone_of(shop).query("SELECT 1")
    ok(shop.inv(word))
    assert databases(shop) == ([""] if word == "resume" else [])
    assert word == "undo" or found(clone_of(shop)) == []
    assert shop.fingerprint() == before


@pytest.mark.slow
def test_the_page_does_the_same_by_hand(project: Make) -> None:
    shop = shop_with(project)
    ok(shop.inv("runbooks"))
    done = paste(shop, "clone-prod-to-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert found(clone_of(shop)) == []
    done = paste(shop, "release")
    assert done.returncode == 0, done.stdout + done.stderr
    assert databases(shop) == [""] and found(clone_of(shop)) == []


def test_the_proof_fails_where_something_is_left(project: Make) -> None:
    """By hand, on the page's own command: a clone that somebody wrote to after it was defanged is none."""
    shop = shop_with(project)
    ok(shop.inv("clone-prod-to-test"))
    run, name = run_of(shop), shop.test.rsplit("/", 1)[1]
    given = [f"--database={name}", f"--marker=generalprobe clone of shop, run {run}"]
    given.append(f"--before=backups/shop/backups/{run}/fingerprint.jsonl")
    words = ["tool.check-defanged", "--target=shop", "--test=shop-test", *given]
    assert "tables are empty" in ok(shop.inv(*words)).out
    for statement, said in [
        ("UPDATE shop_customer SET email = 'person@example.com' WHERE id = 1", "public.shop_customer.email"),
        ("INSERT INTO django_session VALUES ('k', 'd', now())", "public.django_session, public.shop_customer.email"),
    ]:
        clone_of(shop).query(statement)
        done = shop.inv(*words)
        assert done.code == 4 and f"not emptied, or not masked: {said}" in done.out, done.out
    clone_of(shop).query(f"COMMENT ON DATABASE {name} IS 'generalprobe clone of shop, run {run}'")
    done = shop.inv(*words)
    assert done.code == 4 and "mark of a defanged clone" in done.out, done.out
