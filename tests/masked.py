"""What holds of a masked clone however its target is reached."""

from __future__ import annotations

import psycopg

from tests.conftest import Project


def release_beside_a_masked_clone(shop: Project) -> None:
    """A release rehearses on true rows, which are gone afterwards; the test database is masked, production is not."""
    done = shop.inv("clone-prod-to-test")
    assert done.code == 0 and "public.lessons_teacher.name: 10 values masked" in done.out, done.out + done.err
    masked = "SELECT count(*) FROM lessons_teacher WHERE name LIKE 'Name %'"
    test = psycopg.conninfo.conninfo_to_dict(shop.test)["dbname"]
    assert shop.query(masked, str(test)) == [(10,)] and shop.query(masked) == [(0,)]
    done = shop.inv("release", "--confirm=shop")
    assert done.code == 0, done.out + done.err
    assert shop.query("SELECT count(*) FROM lessons_session") == [(1000,)]
    left = shop.query(f"SELECT datname FROM pg_database WHERE datname LIKE '{test}%rehearsal%'")
    assert left == [], left
