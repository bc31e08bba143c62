"""What was written between a preview and the swap, told apart from what the live database got since."""

from __future__ import annotations

from pathlib import Path

from ops.recovery.rollback.loss import preview
from ops.recovery.rollback.row_changes import Since, counterparts
from ops.recovery.rollback.written_since import account
from ops.verdict.databases import Databases
from tests.support.client import Client

TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, v text)",
    "INSERT INTO t SELECT n, 'v' || n FROM generate_series(1, 10) n",
    "CREATE TABLE bare (n int)",
    "INSERT INTO bare SELECT generate_series(1, 10)",
)


def test_writes_on_both_sides_of_the_swap(own: Client, tmp_path: Path) -> None:
    """On a server of its own: a transaction at work in any database makes what was written since unsure."""
    client, restored, live = own, "account_restored", "account_live"
    for name in (restored, live):
        client.ask(f"CREATE DATABASE {name}")
        for statement in TABLE:
            client.ask(statement, name)
    backup = client.fingerprint(restored)
    client.ask(
        "INSERT INTO t VALUES (11, 'shown'); UPDATE t SET v = 'shown' WHERE id = 1; DELETE FROM t WHERE id = 2", live
    )
    since = Since.read(str(client.ask("SELECT txid_current_snapshot()::text", live)[0][0]))
    then = client.fingerprint(live)
    with client.connect(restored) as one, client.connect(live) as two:
        look = Databases({"before": one, "after": two})
        shown = preview(look, backup, then, counterparts(backup, then), "b", tmp_path / "loss.json")
    assert shown.counted == "1 row inserted, 1 updated, 1 deleted"

    client.ask("INSERT INTO t VALUES (12, 'later'); UPDATE t SET v = 'later' WHERE id IN (1, 3)", live)
    client.ask("DELETE FROM t WHERE id = 4; DELETE FROM bare WHERE n = 1; INSERT INTO bare VALUES (2), (77)", live)
    # The swap; from now on the restored one is live, and gets rows of the same keys.
    client.ask(
        "INSERT INTO t VALUES (11, 'new'), (12, 'new'), (13, 'new'); UPDATE t SET v = 'new' WHERE id = 5", restored
    )
    client.ask("DELETE FROM t WHERE id = 6; INSERT INTO bare VALUES (77), (88); DELETE FROM bare WHERE n = 9", restored)
    now = client.fingerprint(live)
    with client.connect(restored) as one, client.connect(live) as two:
        look = Databases({"before": one, "after": two})
        pairs = counterparts(backup, now)
        found = account(look, shown, then, now, pairs, since, tmp_path, tmp_path / "account.json")
    table = {one.table: one for one in found.tables}
    assert table["public.t"].keys == {"inserted": ["12"], "updated": ["1", "3"], "deleted": ["4"]}
    assert (table["public.bare"].inserted, table["public.bare"].deleted) == (2, 1)
