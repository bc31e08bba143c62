"""A primary key may be a secret: a session, a token. What is no number, date or uuid is never told or kept as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import Done, Project

PLANTED = "plantedsecret"
TABLE = "CREATE TABLE api_token (key text PRIMARY KEY, owner text, twin text)"
LINKED = "CREATE TABLE api_call (id serial PRIMARY KEY, token text REFERENCES api_token ON DELETE SET NULL, day text)"
CALLS = f"INSERT INTO api_call (token, day) SELECT '{PLANTED}' || n, 'x' || n FROM generate_series(1, 9) n"


def planted(first: int, last: int) -> str:
    return (
        f"INSERT INTO api_token SELECT '{PLANTED}' || n, 'o' || n, 'same' FROM generate_series({first}, {last}) n"
    )


def told(shop: Project, *done: Done) -> list[str]:
    """Where the planted keys stand: what was printed, and every file but the dumps, which hold all rows."""
    found = [f"output {number}" for number, one in enumerate(done) if PLANTED in one.out + one.err]
    for path in (shop.folder / "backups").rglob("*"):
        if path.is_file() and "dump" not in path.parts and PLANTED.encode() in path.read_bytes():
            found.append(str(path.relative_to(shop.folder)))
    return found


@pytest.mark.slow
def test_a_rollback_with_an_export_and_a_salvage_tell_no_secret_key(scene: Callable[..., Project]) -> None:
    shop = scene("filled")
    for text in (TABLE, planted(1, 9), LINKED, CALLS):
        shop.query(text)
    done = [shop.inv("backup")]
    shop.query("DELETE FROM api_token WHERE owner IN ('o1', 'o2')")
    shop.query("UPDATE api_token SET owner = 'other' WHERE owner = 'o3'")
    shop.query(planted(10, 12))
    done.append(shop.inv("salvage", "--backup=latest", "--table=api_token", "--table=api_call", "--confirm=shop"))
    assert done[-1].code == 0, done[-1].out + done[-1].err
    back = "SELECT count(*) FROM api_token WHERE owner IN ('o1', 'o2')", "SELECT count(token) FROM api_call"
    assert [shop.query(one) for one in back] == [[(2,)], [(9,)]]
    assert told(shop, *done) == []
    done.append(shop.inv("undo", "--confirm=shop"))
    assert done[-1].code == 0, done[-1].out + done[-1].err
    assert [shop.query(one) for one in back] == [[(0,)], [(7,)]]
    done.append(shop.inv("rollback", "--backup=latest", "--json", "--export", "--confirm=shop"))
    assert done[-1].code == 0, done[-1].out + done[-1].err
    tables = {one["table"]: one for one in done[-1].outcome["loss"]["tables"]}
    keys = tables["public.api_token"]["keys"]
    assert [len(keys[kind]) for kind in ("inserted", "updated", "deleted")] == [3, 1, 2]
    assert all(key.startswith("#") and key.endswith(" characters)") for kind in keys.values() for key in kind), keys
    assert told(shop, *done) == []


LOSES = """
        migrations.RunSQL("DELETE FROM api_token WHERE owner IN ('o1', 'o2')"),
"""


def test_a_verdict_tells_no_secret_key(scene: Callable[..., Project]) -> None:
    shop = scene("filled", LOSES)
    for text in (TABLE, planted(1, 9)):
        shop.query(text)
    done = [shop.inv("hazards"), shop.inv("release", "--confirm=shop"), shop.inv("verify", "--write-expectations")]
    assert done[1].code == 5, done[1].out + done[1].err
    assert "for example #" in done[1].out + done[1].err
    assert told(shop, *done) == []
