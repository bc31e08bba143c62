"""A restore that stopped in its middle never counts as done, and what it lacks is named."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator

import pytest

from ops.infra.postgres.embedded_server import Server
from tests.support.project import Project, admin

Make = Callable[..., Project]


@pytest.fixture
def reader(server: Server) -> Iterator[str]:
    """A role that may go away."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    with admin(server) as connection:
        connection.execute(f"CREATE ROLE {name}".encode())
        yield name
        connection.execute(f"DROP ROLE IF EXISTS {name}".encode())


def granted(shop: Project, reader: str) -> None:
    """Production grants something to a role, which a restore does last."""
    shop.query(f"GRANT SELECT ON lessons_teacher TO {reader}")


def test_a_restore_that_stopped_at_a_grant_is_not_done_by_the_rows_it_restored(
    scene: Make, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = scene("filled")
    granted(shop, reader)
    assert shop.inv("backup").code == 0
    shop.query(f"DROP OWNED BY {reader}")
    shop.query(f"DROP ROLE {reader}", "postgres")
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 3 and f'CREATE ROLE "{reader}" NOLOGIN' in done.out, done.out + done.err
    # As if it had been dropped after that was looked at.
    monkeypatch.setattr("ops.backups.actions.lacking", lambda *_: [])
    done = shop.inv("rollback", "--backup=latest", "--confirm=shop")
    assert done.code == 4 and reader in done.out, done.out + done.err
    [restored] = shop.beside("restored")
    assert shop.query("SELECT count(*) FROM lessons_lesson", restored) == [(1000,)], "all of its rows are there"
    done = shop.inv("resume", "--confirm=shop")
    assert done.code == 4 and reader in done.out, done.out + done.err
    assert shop.beside("replaced") == [], "nothing was swapped in"
    assert f'CREATE ROLE "{reader}" NOLOGIN, then   inv resume --run=' in done.out, done.out


def test_the_backup_notes_every_object(scene: Make, reader: str) -> None:
    shop = scene("filled")
    granted(shop, reader)
    assert shop.inv("backup").code == 0
    [path] = (shop.folder / "backups").rglob("fingerprint.jsonl")
    noted = [json.loads(line) for line in path.read_text().splitlines() if line.startswith('{"object"')]
    [grants] = [line for line in noted if line["object"] == "grants" and line["name"] == "table public.lessons_teacher"]
    assert f"{reader}=SELECT" in grants["is"]
    assert {"object", "owner", "constraint", "index"} <= {line["object"] for line in noted}
    shop.query(f"DROP OWNED BY {reader}")


@pytest.mark.slow
def test_what_was_rolled_back_gives_new_numbers_and_has_statistics(scene: Make) -> None:
    """The live one gave out more numbers since the backup, to rows that are set aside."""
    shop = scene("rolled_back")
    [replaced] = shop.beside("replaced")
    shop.query(f"ALTER DATABASE {replaced} ALLOW_CONNECTIONS true", "postgres")
    asked = "SELECT last_value FROM lessons_teacher_id_seq"
    [(live,)], [(former,)] = shop.query(asked), shop.query(asked, replaced)
    assert live > former, "a number that a customer knows is not given out again"
    events = [json.loads(line) for path in shop.folder.rglob("journal.jsonl") for line in path.read_text().splitlines()]
    [said] = [
        event["detail"] for event in events if event.get("step") == "rollback.advance" and event["status"] == "done"
    ]
    assert "public.lessons_teacher_id_seq" in said and f"the live one is at {former}" in said, said
    # The scene's databases are copies, which have the statistics, but not when they were gathered.
    lacking = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reltuples > 0 "
    )
    assert shop.query(lacking + "AND relname NOT IN (SELECT tablename FROM pg_stats)") == []
